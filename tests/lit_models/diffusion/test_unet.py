"""The U-Net: its sizes, its classes, its levels."""

import pytest
import torch

from common.messages import UserError
from lit_models.diffusion.unet import UNet


def test_prediction_has_the_shape_of_the_picture() -> None:
    for channels, size, widths in ((1, 16, (8, 16)), (3, 8, (8, 8, 16)), (1, 28, (16,))):
        x = torch.randn(2, channels, size, size)
        assert UNet(channels, size, widths=widths)(x, torch.tensor([0, 900])).shape == x.shape


def test_every_parameter_gets_a_gradient() -> None:
    net = UNet(1, 8, num_classes=3, widths=(8, 16), blocks=2)
    net(torch.randn(4, 1, 8, 8), torch.arange(4), torch.arange(4)).square().sum().backward()
    assert not [name for name, p in net.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]


def test_level_and_class_change_the_prediction() -> None:
    net, x = UNet(1, 8, num_classes=2, widths=(8, 16)).eval(), torch.randn(1, 1, 8, 8).expand(3, -1, -1, -1)
    t = torch.tensor([10, 10, 700])
    found = net(x, t, torch.tensor([0, 1, 0]))
    assert not torch.allclose(found[0], found[1]) and not torch.allclose(found[0], found[2])
    assert torch.equal(net(x, t), net(x, t, torch.tensor([2, 2, 2])))  # the last one is "no class"


def test_the_way_up_reads_the_way_down() -> None:
    """A change of one pixel reaches its own place at full size, whatever the smaller sizes keep."""
    net = UNet(1, 8, widths=(8, 16), attention=0).eval()
    for stage in (net.mid_block, net.down_blocks[1]):
        for p in stage.parameters():
            torch.nn.init.zeros_(p)
    x = torch.randn(1, 1, 8, 8)
    other = x.clone()
    other[..., 2, 5] += 1
    t = torch.tensor([5])
    assert not torch.allclose(net(x, t)[..., 2, 5], net(other, t)[..., 2, 5])


def test_sizes_that_do_not_divide_are_one_line() -> None:
    with pytest.raises(UserError, match=r"image_size is 30: .* give a multiple of 4"):
        UNet(image_size=30, widths=(8, 8, 8))
    with pytest.raises(UserError, match=r"model\.widths are \[12\]"):
        UNet(widths=(12,))
