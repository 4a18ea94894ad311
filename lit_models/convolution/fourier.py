"""Convolution by the Fourier transform: a product for each frequency.

Goodfellow et al. 9.8. The transform of a cross-correlation is the image's spectrum times the conjugate of the kernel's.
A transform lives on a ring, where what leaves on the right comes in on the left, so both are padded with zeros until
the ends no longer meet. It costs O(N log N) whatever the kernel's size, and pays for large kernels only.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def circular_convolve2d(x: Tensor, kernel: Tensor) -> Tensor:
    """Circular convolution on the torus: x (..., H, W), kernel (kH, kW) -> (..., H, W)."""
    size = x.shape[-2:]
    return torch.fft.irfft2(torch.fft.rfft2(x) * torch.fft.rfft2(kernel, s=size), s=size)


def fft_correlate2d(x: Tensor, weight: Tensor, padding: int = 0) -> Tensor:
    """Cross-correlation as ``correlate2d`` has it, at stride 1: (B, C, H, W), (O, C, kH, kW) -> (B, O, H', W')."""
    x = F.pad(x, [padding] * 4)
    (h, w), (kh, kw) = x.shape[-2:], weight.shape[-2:]
    spectrum = torch.fft.rfft2(x)  # (B, C, H, W // 2 + 1)
    kernels = torch.fft.rfft2(weight, s=(h, w)).conj()  # (O, C, H, W // 2 + 1)
    product = torch.einsum("bcij,ocij->boij", spectrum, kernels)
    y = torch.fft.irfft2(product, s=(h, w))
    return y[..., : h - kh + 1, : w - kw + 1]  # the rest wrapped around


def full_convolve(x: Tensor, kernel: Tensor) -> Tensor:
    """The full linear convolution of two signals: (..., T), (K,) -> (..., T + K - 1)."""
    size = x.shape[-1] + len(kernel) - 1
    return torch.fft.irfft(torch.fft.rfft(x, n=size) * torch.fft.rfft(kernel, n=size), n=size)
