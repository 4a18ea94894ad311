"""Convolution through the Fourier transform: equal to the sum, and to its circulant matrix."""

import numpy as np
import torch
from torch.nn import functional as F

from lit_models.convolution.fourier import circular_convolve2d, fft_correlate2d, full_convolve
from lit_models.convolution.matrix import doubly_block_circulant


def test_layer_by_fft_is_torchs_layer_in_values_and_gradients() -> None:
    x, w = torch.randn(2, 3, 8, 7).double().requires_grad_(), torch.randn(4, 3, 5, 2).double().requires_grad_()
    mine, theirs = fft_correlate2d(x, w, padding=2), F.conv2d(x, w, padding=2)
    torch.testing.assert_close(mine, theirs)
    seed = torch.randn_like(mine)
    for a, b in zip(torch.autograd.grad(mine, (x, w), seed), torch.autograd.grad(theirs, (x, w), seed), strict=True):
        torch.testing.assert_close(a, b)


def test_product_of_spectra_is_the_circulant_matrix() -> None:
    x, kernel = torch.randn(5, 6).double(), torch.randn(3, 3).double()
    matrix = doubly_block_circulant(kernel, 5, 6)
    torch.testing.assert_close(circular_convolve2d(x, kernel).flatten(), matrix @ x.flatten())


def test_full_convolution_is_numpys() -> None:
    a, b = torch.randn(11).double(), torch.randn(4).double()
    torch.testing.assert_close(full_convolve(a, b), torch.from_numpy(np.convolve(a.numpy(), b.numpy())))
