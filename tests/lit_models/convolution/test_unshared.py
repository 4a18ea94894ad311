"""Unshared convolution: a kernel for each position, one by one; the copy of a convolution."""

import pytest
import torch
from torch import nn

from lit_models.convolution.unshared import UnsharedConv2d


def test_each_position_has_its_own_kernel() -> None:
    layer, x = UnsharedConv2d(2, 3, (5, 4), 3, stride=2, padding=1).double(), torch.randn(2, 2, 5, 4).double()
    padded = nn.functional.pad(x, [1] * 4)
    y = layer(x)
    assert y.shape == (2, 3, 3, 2)
    for i in range(3):
        for j in range(2):
            patch = padded[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].flatten(1)
            torch.testing.assert_close(y[:, :, i, j], patch @ layer.weight[2 * i + j].T + layer.bias[:, i, j])


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1)])
def test_copies_of_one_kernel_are_a_convolution_and_their_gradients_add_up_to_its(stride: int, padding: int) -> None:
    conv = nn.Conv2d(2, 3, 3, stride, padding).double()
    layer, x = UnsharedConv2d.from_shared(conv, 7), torch.randn(2, 2, 7, 7).double()
    layer = layer.double()
    torch.testing.assert_close(layer(x), conv(x))
    layer(x).square().sum().backward()
    conv(x).square().sum().backward()
    assert layer.weight.grad is not None and conv.weight.grad is not None
    torch.testing.assert_close(layer.weight.grad.sum(0).view_as(conv.weight), conv.weight.grad)


def test_parameters_grow_with_the_positions() -> None:
    assert sum(p.numel() for p in UnsharedConv2d(2, 3, 7, 3).parameters()) == 25 * (3 * 2 * 9 + 3)


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"images are \(8, 7\)"):
        UnsharedConv2d(1, 1, 7, 3)(torch.zeros(1, 1, 8, 7))
