"""im2col and col2im: torch's unfold and fold, each other's transpose."""

import torch
from torch.nn import functional as F

from lit_models.convolution.im2col import col2im, im2col, im2col_correlate2d

SETTINGS = {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}


def test_columns_are_torchs() -> None:
    x = torch.randn(2, 3, 9, 8)
    assert torch.equal(im2col(x, **SETTINGS), F.unfold(x, **SETTINGS))  # type: ignore[arg-type]
    columns = torch.randn_like(im2col(x, **SETTINGS))  # type: ignore[arg-type]
    torch.testing.assert_close(col2im(columns, (9, 8), **SETTINGS), F.fold(columns, (9, 8), **SETTINGS))  # type: ignore[arg-type]


def test_col2im_is_the_transpose_of_im2col() -> None:
    x = torch.randn(2, 3, 9, 8).double()
    columns = torch.randn_like(im2col(x, **SETTINGS))  # type: ignore[arg-type]
    left = (im2col(x, **SETTINGS) * columns).sum()  # type: ignore[arg-type]
    torch.testing.assert_close(left, (x * col2im(columns, (9, 8), **SETTINGS)).sum())  # type: ignore[arg-type]


def test_one_matrix_product_is_the_layer() -> None:
    x, w, b = torch.randn(2, 3, 9, 8).double(), torch.randn(4, 3, 3, 2).double(), torch.randn(4).double()
    theirs = F.conv2d(x, w, b, (2, 1), (1, 0), (1, 2))
    torch.testing.assert_close(im2col_correlate2d(x, w, b, (2, 1), (1, 0), (1, 2)), theirs)


def test_takes_an_image_whose_memory_is_not_in_order() -> None:
    x, w = torch.randn(2, 3, 6, 6), torch.randn(4, 3, 3, 3)
    mine = im2col_correlate2d(x.to(memory_format=torch.channels_last), w)
    torch.testing.assert_close(mine, F.conv2d(x, w), atol=1e-5, rtol=1e-5)
