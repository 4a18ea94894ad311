"""receptive_field.png: gradients reach the pixels that a unit sees, and no others."""

from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from callbacks.pictures.receptive_field import ReceptiveField, extent, input_gradients
from lit_models.cnn.lenet import LitLeNet
from tests.small import Points, SmallNet, small_trainer


def test_field_grows_by_two_pixels_a_layer() -> None:
    net = nn.Sequential(*(nn.Conv2d(1 if k == 0 else 2, 2, 3, padding=1) for k in range(3)))
    for conv in net:
        nn.init.ones_(conv.weight)  # type: ignore[arg-type]
    gradients = input_gradients(net, torch.rand(4, 1, 15, 15))
    assert [extent(g) for g in gradients.values()] == [(3, 3), (5, 5), (7, 7)]
    last = gradients["2"]
    assert int(last.argmax()) == 7 * 15 + 7  # the middle pixel counts most


def test_nothing_seen_has_no_extent() -> None:
    assert extent(torch.zeros(5, 5)) == (0, 0)


def test_picture_is_drawn_in_a_test_and_gradients_leave_no_trace(tmp_path: Path) -> None:
    model, loader = (
        LitLeNet(activation="relu"),
        DataLoader([(torch.rand(4, 1, 28, 28), torch.arange(4))], batch_size=None),
    )
    small_trainer(tmp_path, ReceptiveField()).test(model, loader, verbose=False)
    assert (tmp_path / "receptive_field.png").stat().st_size > 1000
    assert all(p.grad is None for p in model.parameters())


def test_points_have_no_receptive_field(tmp_path: Path) -> None:
    small_trainer(tmp_path, ReceptiveField()).test(SmallNet(), datamodule=Points(), verbose=False)
    assert not list(tmp_path.glob("*.png"))
