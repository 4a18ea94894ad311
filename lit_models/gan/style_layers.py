"""The layers of StyleGAN2: equalized learning rates, modulated convolutions, filtered resampling, minibatch deviation.

Karras et al. 2018 (equalized rate, minibatch deviation), 2019 (styles, the filter [1, 3, 3, 1]) and 2020 (modulation
and demodulation of weights). Not in D2L. Everything is plain PyTorch: no custom kernel is compiled.

- Equalized learning rate: a weight is stored with variance 1 and multiplied by 1 / sqrt(fan_in) in each call, so that
  Adam, whose steps do not depend on the scale of a gradient, moves all layers at the same relative speed.
- A modulated convolution scales the input channels of its weights by the sample's style and then each output filter
  to norm 1. On the CPU the input and the output are scaled instead, which is the same function.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.layers.precision import at_least_float32

EPS = 1e-8
SLOPE, GAIN = 0.2, math.sqrt(2)  # of the leaky ReLU; the gain keeps the variance


def activated(x: Tensor, gain: float = 1.0) -> Tensor:
    """The leaky ReLU times sqrt(2) and a further gain."""
    return F.leaky_relu(x, SLOPE) * (GAIN * gain)


def to_unit_rms(x: Tensor, dims: int | tuple[int, ...] = -1) -> Tensor:
    """x divided by its root mean square over some dimensions."""
    return x * (x.square().mean(dims, keepdim=True) + EPS).rsqrt()


class EqualizedLinear(nn.Module):
    """A dense layer (..., in_features) -> (..., out_features) with an equalized learning rate.

    Args:
        in_features, out_features: Sizes.
        bias: Initial value of the biases.
        rate: Multiplies the learning rate of weights and biases: they are stored divided by it.
        activation: Leaky ReLU after it.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: float = 0.0, rate: float = 1.0, activation: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / rate)
        self.bias = nn.Parameter(torch.full((out_features,), bias / rate))
        self.gain, self.rate, self.activation = rate / math.sqrt(in_features), rate, activation

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight * self.gain, self.bias * self.rate)
        return activated(y) if self.activation else y


# -- resampling -------------------------------------------------------------------------------------------------------


def filter_matrix(size: int, out: int, padding: int, up: int, down: int, like: Tensor) -> Tensor:
    """What the filter [1, 3, 3, 1] / 8 does to a line of ``size`` pixels, as a matrix (out, size)."""
    column = torch.arange(size, device=like.device) * up
    row = torch.arange(out, device=like.device)[:, None] * down
    tap = column - row + padding  # 0 to 3 inside of the filter, whose entries are 4 - |2 tap - 3|
    return ((4 - (2 * tap - 3).abs()).clamp(min=0) * (up / 8)).to(like.dtype)


def fir(x: Tensor, padding: int, up: int = 1, down: int = 1) -> Tensor:
    """Images (B, C, H, W) filtered by the outer product of [1, 3, 3, 1] / 8 with itself, over zeros at the border.

    Two products with banded matrices: their gradients, and those of the gradients, are faster than a convolution's
    with a group for each channel.

    Args:
        x: Images.
        padding: Zeros before the first row and column; after the last as many, or one less with ``up``.
        up: So many times the pixels, with zeros between them before the filter; the mean is kept.
        down: Only every so many-th pixel is computed.
    """
    out = [(n * up + 2 * padding - up - 3) // down + 1 for n in x.shape[-2:]]
    rows, columns = (filter_matrix(n, m, padding, up, down, x) for n, m in zip(x.shape[-2:], out, strict=True))
    return rows @ (x @ columns.T)


def upsample(x: Tensor) -> Tensor:
    """Images of twice the side: zeros between the pixels, then the filter."""
    return fir(x, 2, up=2)


def downsample(x: Tensor) -> Tensor:
    """Images of half the side: the filter, then every other pixel."""
    return fir(x, 1, down=2)


def resampled_conv2d(x: Tensor, weight: Tensor, up: bool = False, down: bool = False, groups: int = 1) -> Tensor:
    """A convolution with an odd kernel, and the filter where the side changes: (B, I, H, W) -> (B, O, H', W').

    Args:
        x: Images.
        weight: (groups O, I, k, k).
        up: Twice the side. As in the papers' code the kernel of a convolution of 3 x 3 pixels is mirrored then.
        down: Half the side.
        groups: As of ``torch.nn.functional.conv2d``.
    """
    k = weight.shape[-1]
    if up and k == 1:
        return upsample(F.conv2d(x, weight, groups=groups))
    if up:
        o, i = weight.shape[0] // groups, weight.shape[1]
        mirrored = weight.view(groups, o, i, k, k).transpose(1, 2).reshape(groups * i, o, k, k)
        return fir(F.conv_transpose2d(x, 4 * mirrored, stride=2, groups=groups), 1)
    if down and k == 1:
        return F.conv2d(downsample(x), weight, groups=groups)
    if down:
        return F.conv2d(fir(x, 2), weight, stride=2, groups=groups)
    return F.conv2d(x, weight, padding=k // 2, groups=groups)


# -- convolutions -----------------------------------------------------------------------------------------------------


def modulated_conv2d(
    x: Tensor, weight: Tensor, style: Tensor, demodulate: bool = True, up: bool = False, grouped: bool = False
) -> Tensor:
    """A convolution with other weights for each sample: (B, I, H, W) -> (B, O, H', W').

    The weights of a sample are w[o, i] s[i], divided by their norm over i and the kernel if ``demodulate``.

    Args:
        x: Images.
        weight: w, (O, I, k, k), without the samples' styles.
        style: s, (B, I).
        demodulate: Whether each filter gets norm 1.
        up: Twice the side.
        grouped: One convolution with a group for each sample, as in the papers' code, which makes B sets of weights.
            Else the channels of the input are multiplied by s, and those of the output divided by the norms. The two
            agree to rounding; on a CPU the second is faster.
    """
    if not grouped:
        y = resampled_conv2d(x * style[:, :, None, None], weight, up)
        if demodulate:
            norms = (style.square() @ weight.square().sum((2, 3)).T + EPS).rsqrt()  # (B, O)
            y = y * norms[:, :, None, None]
        return y
    b, (o, i, k, _) = len(x), weight.shape
    each = weight * style[:, None, :, None, None]  # (B, O, I, k, k)
    if demodulate:
        each = each * (each.square().sum((2, 3, 4), keepdim=True) + EPS).rsqrt()
    y = resampled_conv2d(x.reshape(1, b * i, *x.shape[2:]), each.reshape(b * o, i, k, k), up, groups=b)
    return y.reshape(b, o, *y.shape[2:])


class EqualizedConv2d(nn.Module):
    """A convolution (B, in_channels, H, W) -> (B, out_channels, H', W') with an equalized learning rate.

    Args:
        in_channels, out_channels, kernel_size: Sizes.
        bias: Whether it has biases.
        activation: Leaky ReLU after it.
        up, down: Twice or half the side.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        bias: bool = True,
        activation: bool = True,
        up: bool = False,
        down: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale = 1 / math.sqrt(in_channels * kernel_size**2)
        self.activation, self.up, self.down = activation, up, down

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """``gain`` multiplies the result: sqrt(1/2) where two branches are added."""
        y = resampled_conv2d(x, self.weight * self.scale, self.up, self.down)
        if self.bias is not None:
            y = y + self.bias[:, None, None]
        return activated(y, gain) if self.activation else y * gain


def minibatch_deviation(x: Tensor, group_size: int = 4) -> Tensor:
    """Features (B, C, H, W) with one more channel: how much they differ within a group, a number for each group.

    Sample i belongs to group i mod (B / G). A discriminator sees from it that samples are all alike.

    Args:
        x: Features.
        group_size: Largest G; a batch that it does not divide, such as an epoch's last, has smaller groups.
    """
    b, c, h, w = x.shape
    g = next(g for g in range(min(group_size, b), 0, -1) if b % g == 0)
    grouped = at_least_float32(x).reshape(g, b // g, c, h, w)  # EPS is zero in half precision
    deviation = (grouped.var(0, correction=0) + EPS).sqrt().mean((1, 2, 3))  # (B / G,)
    return torch.cat([x, deviation.to(x.dtype).repeat(g)[:, None, None, None].expand(b, 1, h, w)], 1)
