"""Cross-correlation by hand: the book's numbers, torch's values and gradients, the flip."""

import pytest
import torch
from torch.nn import functional as F

from lit_models.convolution.cross_correlation import convolve2d, correlate1d, correlate2d, flip, output_size


def test_edge_detector_of_the_book() -> None:
    image = torch.ones(1, 1, 6, 8)
    image[..., 2:6] = 0
    answer = correlate2d(image, torch.tensor([[[[1.0, -1.0]]]]))
    assert answer[0, 0, 0].tolist() == [0, 1, 0, 0, 0, -1, 0]  # D2L 7.2.3
    assert correlate2d(image.transpose(2, 3), torch.tensor([[[[1.0, -1.0]]]])).abs().sum() == 0


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation", "positions"),
    [(8, 3, 1, 1, 1, 8), (8, 5, 1, 2, 1, 8), (8, 3, 2, 1, 1, 4), (8, 5, 4, 1, 1, 2), (7, 3, 1, 0, 3, 1)],  # D2L 7.3
)
def test_output_size(size: int, kernel: int, stride: int, padding: int, dilation: int, positions: int) -> None:
    assert output_size(size, kernel, stride, padding, dilation) == positions


def test_image_smaller_than_the_kernel_is_refused_with_the_least_size() -> None:
    with pytest.raises(ValueError, match=r"4 pixels .* at least 5"):
        correlate2d(torch.zeros(1, 1, 4, 9), torch.zeros(1, 1, 3, 3), dilation=2)


def test_groups_that_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="3 channels into 2 with 2 groups"):
        correlate2d(torch.zeros(1, 3, 5, 5), torch.zeros(2, 1, 3, 3), groups=2)


@pytest.mark.parametrize("groups", [1, 2])
def test_values_and_gradients_are_torchs(groups: int) -> None:
    x = torch.randn(2, 4, 9, 8).double().requires_grad_()
    w = torch.randn(6, 4 // groups, 3, 2).double().requires_grad_()
    settings = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": groups}
    bias = torch.randn(6).double()
    mine, theirs = correlate2d(x, w, bias, **settings), F.conv2d(x, w, bias, **settings)  # type: ignore[arg-type]
    torch.testing.assert_close(mine, theirs)
    seed = torch.randn_like(mine)
    for a, b in zip(torch.autograd.grad(mine, (x, w), seed), torch.autograd.grad(theirs, (x, w), seed), strict=True):
        torch.testing.assert_close(a, b)


def test_over_time_as_torch() -> None:
    x, w, b = torch.randn(2, 3, 20).double(), torch.randn(4, 3, 5).double(), torch.randn(4).double()
    torch.testing.assert_close(correlate1d(x, w, b, 2, 3, 2), F.conv1d(x, w, b, 2, 3, 2))


def test_convolution_commutes_and_cross_correlation_does_not() -> None:
    a, b = torch.randn(1, 1, 5, 5).double(), torch.randn(1, 1, 5, 5).double()
    torch.testing.assert_close(convolve2d(a, b), convolve2d(b, a))
    one, other = correlate2d(a, b, padding=4), correlate2d(b, a, padding=4)
    assert (one - other).abs().max() > 0.1
    torch.testing.assert_close(one, flip(other))  # the one is the other, turned


def test_one_by_one_kernel_is_a_matrix_over_channels() -> None:
    x, w = torch.randn(2, 3, 4, 4).double(), torch.randn(5, 3, 1, 1).double()
    torch.testing.assert_close(correlate2d(x, w), torch.tensordot(w[..., 0, 0], x, ([1], [1])).transpose(0, 1))
