"""Cross-correlation and convolution by hand: padding, stride, dilation, groups, and the flip.

Goodfellow et al. 9.1 and 9.5, D2L 7.2 to 7.4. What deep learning calls a convolution is a cross-correlation: the kernel
is laid over the image as it is. The convolution of mathematics flips the kernel in both directions first; that makes it
commutative, and makes no other difference for a learned kernel.

The sum runs over the entries of the kernel and not over the positions of the image: each entry multiplies one shifted,
strided view of the whole batch, so that a 3 x 3 kernel is nine products and not one for each pixel.
"""

from torch import Tensor
from torch.nn import functional as F

Pair = int | tuple[int, int]


def pair(value: Pair) -> tuple[int, int]:
    """One number stands for both directions."""
    return (value, value) if isinstance(value, int) else value


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many positions a kernel has along a side: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.

    Raises:
        ValueError: The image is smaller than the kernel; the error names the least size.
    """
    reach = dilation * (kernel - 1) + 1
    if size + 2 * padding < reach:
        raise ValueError(f"the image is {size} pixels along a side: this kernel needs at least {reach - 2 * padding}")
    return (size + 2 * padding - reach) // stride + 1


def correlate2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """y[b, o, i, j] = bias[o] + sum over c, u, v of weight[o, c, u, v] x[b, c, s i + d u - p, s j + d v - p].

    Args:
        x: Images (B, C, H, W).
        weight: Kernels (O, C / groups, kH, kW).
        bias: (O,).
        stride, padding, dilation: For both directions, or one for each; padding is with zeros.
        groups: Channels are cut into so many parts, and output channels depend only on their own part.

    Returns:
        (B, O, H', W'), see ``output_size``.
    """
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    (b, c, h, w), (o, part, kh, kw) = x.shape, weight.shape
    if c != groups * part or o % groups:
        raise ValueError(
            f"{c} channels into {o} with {groups} groups do not fit a weight of shape {tuple(weight.shape)}"
        )
    oh, ow = output_size(h, kh, sh, ph, dh), output_size(w, kw, sw, pw, dw)
    padded = F.pad(x, (pw, pw, ph, ph)).unflatten(1, (groups, part))  # (B, G, C/G, H + 2p, W + 2p)
    kernels = weight.unflatten(0, (groups, o // groups))  # (G, O/G, C/G, kH, kW)
    y = x.new_zeros(b, groups, o // groups, oh * ow)
    for u in range(kh):
        rows = slice(u * dh, u * dh + sh * (oh - 1) + 1, sh)
        for v in range(kw):
            columns = slice(v * dw, v * dw + sw * (ow - 1) + 1, sw)
            y = y + kernels[..., u, v] @ padded[..., rows, columns].flatten(3)  # channels are summed
    y = y.view(b, o, oh, ow)
    return y if bias is None else y + bias[:, None, None]


def flip(weight: Tensor) -> Tensor:
    """Turns kernels (..., kH, kW) by half a turn."""
    return weight.flip(-2, -1)


def convolve2d(x: Tensor, weight: Tensor) -> Tensor:
    """The convolution of mathematics in full: (B, C, H, W) * (O, C, kH, kW) -> (B, O, H + kH - 1, W + kW - 1).

    The image is as if it had zeros all around it, and the kernel is flipped.
    """
    kh, kw = weight.shape[-2:]
    return correlate2d(x, flip(weight), padding=(kh - 1, kw - 1))


def correlate1d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Tensor:
    """The same over time: (B, C, T) with (O, C, K) -> (B, O, T'). An image of height one."""
    strides, paddings, dilations = (1, stride), (0, padding), (1, dilation)
    return correlate2d(x[:, :, None], weight[:, :, None], bias, strides, paddings, dilations)[:, :, 0]
