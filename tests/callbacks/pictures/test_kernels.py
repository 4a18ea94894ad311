"""kernels.png: before and after training, in the plane and over time."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from callbacks.pictures import kernels as module
from callbacks.pictures.kernels import Kernels, draw_kernels, draw_spectra, first_kernels
from lit_models.cnn.lenet import LitLeNet
from tests.small import Points, SmallNet, small_trainer


def test_before_and_after_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    monkeypatch.setattr(module, "draw_kernels", lambda rows: seen.update(rows) or draw_kernels(rows))
    model, loader = (
        LitLeNet(activation="relu"),
        DataLoader([(torch.rand(4, 1, 28, 28), torch.arange(4))], batch_size=None),
    )
    start = model.net.features[0].weight.detach().clone()  # type: ignore[index,union-attr]
    small_trainer(tmp_path, Kernels(), max_epochs=1).fit(model, loader, loader)
    assert torch.equal(seen["before"], start) and not torch.equal(seen["after"], start)
    assert (tmp_path / "kernels.png").stat().st_size > 1000


@pytest.mark.parametrize("shape", [(1, 1, 3, 3), (6, 3, 5, 5), (40, 2, 3, 3)])
def test_single_color_and_many_kernels(shape: tuple[int, ...]) -> None:
    figure = draw_kernels({"before": torch.randn(shape), "after": torch.randn(shape), "true": torch.randn(shape)})
    assert {"before", "after", "true"} <= {ax.get_title() for ax in figure.axes}


def test_kernels_over_time_are_sorted_by_peak_frequency() -> None:
    time = torch.arange(80) / 8000
    kernels = torch.stack([torch.sin(2 * torch.pi * hertz * time) for hertz in (1600, 700, 1200)])[:, None]
    figure = draw_spectra({"after": kernels}, 8000)
    (image,) = figure.axes[0].images
    peaks = torch.from_numpy(image.get_array().data).argmax(1) * 8000 / 512  # type: ignore[union-attr]
    assert [round(float(p), -2) for p in peaks] == [700, 1200, 1600]


def test_first_kernels_are_found_and_may_be_absent(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Conv1d(1, 4, 5), nn.Conv2d(1, 1, 3))
    assert first_kernels(net).shape == (4, 1, 5)  # type: ignore[union-attr]
    small_trainer(tmp_path, Kernels()).fit(SmallNet(), datamodule=Points())
    assert not (tmp_path / "kernels.png").exists()
