"""U-Net: the battery, the paper's size, any size of picture."""

import pytest
import torch
from torch import Tensor, nn

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


def test_a_skip_keeps_what_the_way_down_loses() -> None:
    """One pixel moves the logits beside it most, although the picture is halved three times."""
    torch.manual_seed(0)
    net = UNet(1, 2, width=8, depth=3).eval()
    image = torch.rand(1, 1, 32, 32)
    other = image.clone()
    other[0, 0, 13, 21] += 1
    change = (net(other) - net(image)).abs().sum(1)[0]
    row, column = divmod(int(change.argmax()), 32)
    assert abs(row - 13) <= 2 and abs(column - 21) <= 2


def test_without_skips_the_picture_reaches_the_logits_through_the_bottom_only() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 1, 16, 16)
    for skips in (True, False):
        net = UNet(1, 2, width=4, depth=2, skips=skips).eval()
        net.down[2].register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
        seen = (net(x) - net(1 - x)).abs().sum()
        assert bool(seen > 0) == skips


@pytest.mark.parametrize("normalize", [False, True])
def test_the_way_up_begins_with_the_scale_of_the_way_down(normalize: bool) -> None:
    """With torch's own start of a transposed convolution its maps have a sixth of the variance, and are ignored."""
    torch.manual_seed(0)
    net = UNet(3, 4, width=16, depth=2, normalize=normalize)
    scales: dict[nn.Module, float] = {}

    def measure(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        scales[module] = output.detach().square().mean().item()

    below, above = net.down[1], net.grow[0]
    for module in (below, above):
        module.register_forward_hook(measure)
    net(torch.rand(4, 3, 32, 32))
    assert 0.7 < scales[above] / scales[below] < 4
