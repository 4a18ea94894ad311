"""Separable kernels: exact where the rank is one, the best sum of few elsewhere; the depthwise form."""

import torch
from torch.nn import functional as F

from lit_models.convolution.separable import DepthwiseSeparable2d, separable_correlate2d, separate


def test_sobel_kernel_is_a_column_times_a_row() -> None:
    sobel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    columns, rows = separate(sobel)
    torch.testing.assert_close(columns.T @ rows, sobel)
    x = torch.randn(2, 1, 9, 8)
    theirs = F.conv2d(x, sobel[None, None])
    torch.testing.assert_close(separable_correlate2d(x, columns, rows), theirs, atol=1e-5, rtol=1e-5)


def test_error_of_a_lower_rank_is_the_singular_values_left_out() -> None:
    kernel = torch.randn(5, 5).double()
    values = torch.linalg.svdvals(kernel)
    for rank in (1, 2, 5):
        columns, rows = separate(kernel, rank)
        error = (columns.T @ rows - kernel).norm()
        torch.testing.assert_close(error, values[rank:].square().sum().sqrt(), atol=1e-12, rtol=1e-9)


def test_depthwise_separable_layer_is_an_ordinary_one_with_fewer_weights() -> None:
    layer = DepthwiseSeparable2d(8, 16, 3, stride=2, padding=1).double()
    x = torch.randn(2, 8, 9, 9).double()
    theirs = F.conv2d(x, layer.full_kernel(), layer.pointwise.bias, stride=2, padding=1)
    torch.testing.assert_close(layer(x), theirs)
    assert sum(p.numel() for p in layer.parameters()) == 8 * 9 + 8 * 16 + 16  # an ordinary layer: 1,168
