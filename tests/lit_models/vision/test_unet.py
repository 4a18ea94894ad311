"""U-Net: the battery, the paper's size, any size of picture."""

import pytest
import torch
from torch import Tensor

from lit_models.vision.unet import LitUNet, UNet
from tests.battery import ADAM, TaskBattery


class TestLitUNet(TaskBattery):
    parameters = 1_655
    overfit_steps = 150
    overfit_loss = 0.3

    def model(self) -> LitUNet:
        torch.manual_seed(0)
        return LitUNet(num_classes=3, in_channels=1, width=4, depth=1, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        y = torch.zeros(2, 10, 12, dtype=torch.long)
        y[:, 2:6, 3:9], y[:, 7:] = 1, 2
        return y[:, None] / 2 + 0.1 * torch.rand(2, 1, 10, 12, generator=torch.Generator().manual_seed(0)), y


def test_the_papers_network_has_its_parameters() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in UNet().parameters()) == 31_030_658


@pytest.mark.parametrize("size", [(33, 47), (8, 8), (5, 70)])
def test_logits_are_as_large_as_the_picture(size: tuple[int, int]) -> None:
    assert UNet(3, 4, width=2, depth=3, normalize=True)(torch.rand(2, 3, *size)).shape == (2, 4, *size)


def test_a_bridge_keeps_what_the_way_down_loses() -> None:
    """One pixel moves the logits beside it most, although the picture is halved three times."""
    torch.manual_seed(0)
    net = UNet(1, 2, width=8, depth=3).eval()
    image = torch.rand(1, 1, 32, 32)
    other = image.clone()
    other[0, 0, 13, 21] += 1
    change = (net(other) - net(image)).abs().sum(1)[0]
    row, column = divmod(int(change.argmax()), 32)
    assert abs(row - 13) <= 2 and abs(column - 21) <= 2
