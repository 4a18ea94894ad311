"""The gradients of a convolution by hand: with respect to the image and with respect to the kernel.

Goodfellow et al. 9.5. With y = correlate2d(x, w, stride, padding) and g the loss's gradient with respect to y:

- with respect to the bias: g summed over images and positions;
- with respect to the image: each position (i, j) adds g[i, j] times the kernel to the pixels under it. That is a
  cross-correlation of g, with stride - 1 zeros put between its entries, with the flipped kernel, channels exchanged:
  the **transposed convolution**;
- with respect to the kernel: an entry met the pixels that lie ``stride`` apart. That is a cross-correlation of x with
  g, whose dilation is the stride, images and channels exchanged.

``Conv2dByHand`` is a layer that learns with these and not with torch's.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.convolution.cross_correlation import Pair, correlate2d, flip, pair


def transposed2d(
    y: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1, padding: int = 0, output_padding: Pair = 0
) -> Tensor:
    """Transposed convolution: (B, O, H', W') -> (B, C, H, W), H = stride (H' - 1) + k - 2 padding + output_padding.

    Args:
        y: What a convolution with ``weight`` would give.
        weight: Kernels (O, C, k, k) of that convolution: its output channels come in here.
        bias: (C,).
        stride, padding: Of that convolution.
        output_padding: Rows and columns added at the end: with a stride, several sizes H give the same H'.
    """
    (b, o, h, w), (kh, kw), (bottom, right) = y.shape, weight.shape[-2:], pair(output_padding)
    spread = y.new_zeros(b, o, stride * (h - 1) + 1, stride * (w - 1) + 1)
    spread[..., ::stride, ::stride] = y
    top, left = kh - 1 - padding, kw - 1 - padding  # F.pad cuts off where these are negative
    spread = F.pad(spread, (left, left + right, top, top + bottom))
    return correlate2d(spread, flip(weight).transpose(0, 1), bias)


def image_gradient(g: Tensor, weight: Tensor, size: tuple[int, int], stride: int = 1, padding: int = 0) -> Tensor:
    """The gradient (B, C, H, W) with respect to the image, of g (B, O, H', W'). ``size`` is (H, W)."""
    k = weight.shape[-1]
    rest = tuple((side + 2 * padding - k) % stride for side in size)  # rows and columns that the last step left over
    return transposed2d(g, weight, None, stride, padding, output_padding=(rest[0], rest[1]))


def kernel_gradient(g: Tensor, x: Tensor, kernel_size: int, stride: int = 1, padding: int = 0) -> Tensor:
    """The gradient (O, C, k, k) with respect to the kernel, of g (B, O, H', W') and the image x (B, C, H, W)."""
    swapped = correlate2d(x.transpose(0, 1), g.transpose(0, 1), padding=padding, dilation=stride)  # (C, O, >= k, >= k)
    return swapped.transpose(0, 1)[..., :kernel_size, :kernel_size]


class Correlation(torch.autograd.Function):
    """``correlate2d`` whose backward pass is the formulas above."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return correlate2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (g,) = gradients
        x, weight = ctx.saved_tensors
        to_image = image_gradient(g, weight, x.shape[-2:], ctx.stride, ctx.padding)
        to_kernel = kernel_gradient(g, x, weight.shape[-1], ctx.stride, ctx.padding)
        return to_image, to_kernel, g.sum((0, 2, 3)), None, None


class Conv2dByHand(nn.Module):
    """A convolutional layer on ``Correlation``. (B, C, H, W) -> (B, O, H', W'); square kernels.

    Initialized uniformly within 1 / sqrt(C k^2), as torch does.

    Args:
        in_channels, out_channels, kernel_size, stride, padding: See ``nn.Conv2d``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        bound = (in_channels * kernel_size**2) ** -0.5
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.stride, self.padding = stride, padding
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return Correlation.apply(x, self.weight, self.bias, self.stride, self.padding)
