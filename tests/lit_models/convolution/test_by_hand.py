"""The gradients of a convolution written out: torch's, and by finite differences; a layer that learns with them."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lit_models.convolution.by_hand import Conv2dByHand, Correlation, transposed2d

CASES = [(1, 0, 7, 7), (1, 2, 7, 6), (2, 1, 8, 7), (3, 0, 9, 8), (2, 2, 6, 9)]


@pytest.mark.parametrize(("stride", "padding", "height", "width"), CASES)
def test_gradients_are_torchs(stride: int, padding: int, height: int, width: int) -> None:
    x = torch.randn(2, 3, height, width).double().requires_grad_()
    w, b = torch.randn(4, 3, 3, 3).double().requires_grad_(), torch.randn(4).double().requires_grad_()
    mine, theirs = Correlation.apply(x, w, b, stride, padding), F.conv2d(x, w, b, stride, padding)
    torch.testing.assert_close(mine, theirs)
    seed = torch.randn_like(theirs)
    pairs = zip(torch.autograd.grad(mine, (x, w, b), seed), torch.autograd.grad(theirs, (x, w, b), seed), strict=True)
    for a, c in pairs:
        torch.testing.assert_close(a, c)


def test_gradients_agree_with_finite_differences() -> None:
    inputs = [torch.randn(*shape).double().requires_grad_() for shape in ((1, 2, 5, 6), (2, 2, 3, 3), (2,))]
    assert torch.autograd.gradcheck(lambda x, w, b: Correlation.apply(x, w, b, 2, 1), inputs)


@pytest.mark.parametrize(("stride", "padding", "extra"), [(1, 0, 0), (2, 1, 1), (3, 2, 0), (1, 3, 0)])
def test_transposed_convolution_is_torchs(stride: int, padding: int, extra: int) -> None:
    y, w, b = torch.randn(2, 4, 5, 6).double(), torch.randn(4, 3, 3, 3).double(), torch.randn(3).double()
    theirs = F.conv_transpose2d(y, w, b, stride, padding, extra)
    torch.testing.assert_close(transposed2d(y, w, b, stride, padding, extra), theirs)


def test_layer_learns_what_torchs_layer_learns() -> None:
    mine, theirs = Conv2dByHand(2, 3, 3, stride=2, padding=1).double(), nn.Conv2d(2, 3, 3, 2, 1).double()
    theirs.load_state_dict(mine.state_dict())
    x, y = torch.randn(4, 2, 8, 8).double(), torch.randn(4, 3, 4, 4).double()
    for layer in (mine, theirs):
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            (layer(x) - y).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(mine.weight, theirs.weight)
    assert (mine(x) - y).square().mean() < y.square().mean()
