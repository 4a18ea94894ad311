"""Pooling by hand, and pooling without aliasing.

Goodfellow et al. 9.3, D2L 7.5; Zhang 2019, "Making convolutional networks shift-invariant again". A pooling of stride
two keeps every second sample. What is finer than two pixels then looks like something coarser (aliasing), so an image
moved by one pixel gives other features and not moved ones. Signal processing blurs before it drops samples, and so does
``BlurPool2d``: the maximum is taken at every position first, and the result is blurred and then thinned out.
``equivariance.py`` measures the effect.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.convolution.im2col import im2col


def windows(x: Tensor, kernel_size: int, stride: int) -> Tensor:
    """(B, C, H, W) -> (B, C, k k, H', W'): what each window holds."""
    side = [(size - kernel_size) // stride + 1 for size in x.shape[-2:]]
    return im2col(x, kernel_size, stride).unflatten(2, side).unflatten(1, (x.shape[1], kernel_size**2))


def pool2d(x: Tensor, kind: Literal["max", "avg", "l2"], kernel_size: int, stride: int | None = None) -> Tensor:
    """Reduces each window to its maximum, mean, or root of the sum of squares. (B, C, H, W) -> (B, C, H', W').

    Args:
        x: Feature maps.
        kind: Which summary. The gradient of a maximum goes to the one entry that was largest.
        kernel_size: Side of the window.
        stride: None means windows that do not overlap.
    """
    inside = windows(x, kernel_size, stride or kernel_size)
    if kind == "max":
        return inside.max(2).values
    if kind == "avg":
        return inside.mean(2)
    return torch.linalg.vector_norm(inside, dim=2)  # the root of a sum has no gradient at 0: NaN in windows of zeros


class BlurPool2d(nn.Module):
    """Blurs each channel with a binomial kernel and keeps every ``stride``-th sample. (B, C, H, W) -> (B, C, H', W').

    Args:
        kernel_size: Side of the kernel: 3 is (1, 2, 1) / 4 in both directions.
        stride: Distance of the samples that are kept.
        circular: Images go round instead of being mirrored at their edges: for measuring, not for pictures.
    """

    kernel: Tensor

    def __init__(self, kernel_size: int = 3, stride: int = 2, circular: bool = False) -> None:
        super().__init__()
        row = torch.ones(1)
        for _ in range(kernel_size - 1):  # Pascal's triangle
            row = F.pad(row, (1, 0)) + F.pad(row, (0, 1))
        self.register_buffer("kernel", torch.outer(row, row) / row.sum() ** 2)
        self.stride = stride
        self.mode = "circular" if circular else "reflect"
        self.edges = [(kernel_size - 1) // 2, kernel_size // 2] * 2

    def forward(self, x: Tensor) -> Tensor:
        c = x.shape[1]
        x = F.pad(x, self.edges, mode=self.mode)
        return F.conv2d(x, self.kernel.expand(c, 1, *self.kernel.shape), stride=self.stride, groups=c)


class MaxBlurPool2d(nn.Module):
    """A 2 x 2 maximum at every position, then ``BlurPool2d``: what stands in for ``nn.MaxPool2d(2)``.

    Args:
        blur_size, stride, circular: See ``BlurPool2d``.
    """

    def __init__(self, blur_size: int = 3, stride: int = 2, circular: bool = False) -> None:
        super().__init__()
        self.blur = BlurPool2d(blur_size, stride, circular)
        self.mode = "circular" if circular else "replicate"

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 1, 0, 1), mode=self.mode)  # the maximum at stride 1 keeps the size
        return self.blur(F.max_pool2d(x, 2, stride=1))
