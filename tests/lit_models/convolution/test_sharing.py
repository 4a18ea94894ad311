"""Shared, tiled and unshared networks: the battery, the counts, the sizes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from datamodules.vision.mnist import MNIST5k
from lit_models.convolution.sharing import MOVES, LitSharing, SharingNet
from tests.battery import ADAM, ClassifierBattery
from tests.small import small_trainer

HEAD = 32 * 10 + 10


class TestLitSharing(ClassifierBattery):
    parameters = 8 * 26 + 16 * 201 + 32 * 145 + HEAD

    def model(self) -> LitSharing:
        return LitSharing(optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        return torch.rand(8, 1, 28, 28), torch.arange(8)


@pytest.mark.parametrize(
    ("sharing", "first", "second"), [("shared", 1, 1), ("tiled", 4, 4), ("unshared", 14 * 14, 7 * 7)]
)
def test_kernels_are_one_four_or_one_a_position(sharing: Any, first: int, second: int) -> None:
    net = SharingNet(sharing=sharing)
    assert sum(p.numel() for p in net.parameters()) == first * 8 * 26 + second * (16 * 201 + 32 * 145) + HEAD
    assert net(torch.rand(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize("sharing", ["shared", "tiled", "unshared"])
def test_takes_other_channels_and_odd_sizes(sharing: Any) -> None:
    assert SharingNet(3, 7, 29, sharing)(torch.rand(2, 3, 29, 29)).shape == (2, 7)


def test_shared_kernels_alone_do_not_mind_a_move_of_whole_strides() -> None:
    x = torch.zeros(4, 1, 64, 64)
    x[..., 30:34, 30:34] = torch.rand(4, 1, 4, 4)
    for sharing in ("shared", "tiled", "unshared"):
        net = SharingNet(image_size=64, sharing=sharing, tiles=3).eval()  # type: ignore[arg-type]
        zero = net.features(torch.zeros_like(x))
        near = (net.features(x) - zero).sum((2, 3)), (net.features(x.roll(4, 3)) - zero).sum((2, 3))
        assert torch.allclose(*near, atol=1e-4) == (sharing == "shared")


def test_moved_accuracy_is_that_of_moved_images(tmp_path: Path) -> None:
    model, data = LitSharing(optimizer=ADAM), MNIST5k(eval_batch_size=300)
    metrics = small_trainer(tmp_path).test(model, datamodule=data, verbose=False)[0]
    x, y = data.splits["test"]
    with torch.no_grad():
        right = [(model.eval()(x.roll(move, (2, 3)).float() / 255).argmax(1) == y).float().mean() for move in MOVES]
    assert metrics["test/moved_acc"] == pytest.approx(float(sum(right)) / 4, abs=1e-6)
