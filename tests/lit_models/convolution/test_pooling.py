"""Pooling by hand is torch's; blurring before the stride keeps what a stride alone loses."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from lit_models.convolution.pooling import BlurPool2d, MaxBlurPool2d, pool2d


@pytest.mark.parametrize(("size", "stride"), [(2, None), (3, 2), (3, 1)])
def test_values_and_gradients_are_torchs(size: int, stride: int | None) -> None:
    x = torch.randn(2, 3, 9, 8).double().requires_grad_()
    answers = {
        "max": F.max_pool2d(x, size, stride),
        "avg": F.avg_pool2d(x, size, stride),
        "l2": F.lp_pool2d(x, 2.0, size, stride),
    }
    for kind, theirs in answers.items():
        mine = pool2d(x, kind, size, stride)  # type: ignore[arg-type]
        torch.testing.assert_close(mine, theirs)
        seed = torch.randn_like(theirs)
        torch.testing.assert_close(torch.autograd.grad(mine, x, seed), torch.autograd.grad(theirs, x, seed))


@pytest.mark.parametrize("kind", ["max", "avg", "l2"])
def test_windows_of_zeros_have_a_gradient(kind: Any) -> None:
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    pool2d(x, kind, 2).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_book_example() -> None:
    x = torch.arange(9.0).view(1, 1, 3, 3)
    assert pool2d(x, "max", 2, 1).flatten().tolist() == [4, 5, 7, 8]  # D2L 7.5.1
    assert pool2d(x, "avg", 2, 1).flatten().tolist() == [2, 3, 5, 6]


def test_blur_is_binomial_and_keeps_a_constant() -> None:
    blur = BlurPool2d(3)
    assert (blur.kernel * 16).flatten().tolist() == [1, 2, 1, 2, 4, 2, 1, 2, 1]
    torch.testing.assert_close(blur(torch.full((1, 2, 8, 8), 3.0)), torch.full((1, 2, 4, 4), 3.0))


def test_finest_stripes_are_blurred_away_and_not_taken_for_a_constant() -> None:
    stripes = (torch.arange(8.0) % 2).expand(1, 1, 8, 8)
    assert stripes[..., ::2].unique().tolist() == [0]  # a stride alone: aliasing
    torch.testing.assert_close(BlurPool2d(3, circular=True)(stripes), torch.full((1, 1, 4, 4), 0.5))


@pytest.mark.parametrize("side", [7, 8])
def test_stands_in_for_max_pooling(side: int) -> None:
    x = torch.rand(2, 3, side, side)
    assert MaxBlurPool2d()(x).shape == (2, 3, -(-side // 2), -(-side // 2))
