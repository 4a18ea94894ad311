"""StyleGAN2's synthesis network and discriminator, at small sizes, with a place for GANformer's attention.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN". The parameters have the names that the
published PyTorch code of GANformer gives them (``b8.conv0.weight``).
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_models.gan.style_layers import (
    EqualizedConv2d,
    EqualizedLinear,
    activated,
    minibatch_deviation,
    modulated_conv2d,
    resampled_conv2d,
    upsample,
)

Architecture = Literal["skip", "resnet"]
Noise = Literal["random", "const", "none"]
#: Makes what a layer of (channels, side) does between its convolution and its noise, or None.
Between = Callable[[int, int], nn.Module | None]


def sides(image_size: int) -> list[int]:
    """4, 8, ..., image_size.

    Raises:
        ValueError: Not a power of two from 8 on.
    """
    if image_size < 8 or image_size & (image_size - 1):
        raise ValueError(f"image_size is {image_size}: give a power of two from 8 on, such as 16, 32 or 64")
    return [2**k for k in range(2, image_size.bit_length())]


def channels_at(side: int, width: int, most: int) -> int:
    """Channels of feature maps: ``width`` / side, at most ``most``."""
    return min(max(width // side, 1), most)


class SynthesisLayer(nn.Module):
    """A modulated convolution, attention if there is one, noise, bias, leaky ReLU.

    Args:
        in_channels, out_channels, style_size: Sizes.
        side: Of its output in pixels.
        up: Twice the side of its input.
        between: See ``Between``.
        styled: Modulated by the style; else a plain convolution.
        plain_end: Neither noise nor bias nor activation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        style_size: int,
        side: int,
        up: bool = False,
        between: nn.Module | None = None,
        styled: bool = True,
        plain_end: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.scale = 1 / math.sqrt(in_channels * 9)
        self.affine = EqualizedLinear(style_size, in_channels, bias=1.0) if styled else None
        self.transformer, self.up, self.plain_end = between, up, plain_end
        if not plain_end:
            self.bias = nn.Parameter(torch.zeros(out_channels))
            self.noise_strength = nn.Parameter(torch.zeros(()))
            self.register_buffer("noise_const", torch.randn(side, side))

    def forward(self, x: Tensor, style: Tensor, noise: Noise, gain: float = 1.0, **context: Any) -> Tensor:
        """(B, in_channels, ...), style (B, style_size) -> (B, out_channels, side, side); ``context`` is the
        attention's.
        """
        weight = self.weight * self.scale
        if self.affine is None:
            x = resampled_conv2d(x, weight, self.up)
        else:
            x = modulated_conv2d(x, weight, self.affine(style), up=self.up)
        if self.transformer is not None:
            x = self.transformer(x, **context)
        if self.plain_end:
            return x
        if noise == "random":
            x = x + torch.randn(len(x), 1, *x.shape[2:], dtype=x.dtype, device=x.device) * self.noise_strength
        elif noise == "const":
            x = x + self.noise_const * self.noise_strength  # type: ignore[operator]
        return activated(x + self.bias[:, None, None], gain)


class ToImage(nn.Module):
    """A modulated convolution of one pixel to colors, without demodulation.

    Args:
        in_channels, colors, style_size, styled: As of ``SynthesisLayer``, with colors as its output.
    """

    def __init__(self, in_channels: int, colors: int, style_size: int, styled: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(colors, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colors))
        self.affine = EqualizedLinear(style_size, in_channels, bias=1.0) if styled else None
        self.scale = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        if self.affine is None:
            y = resampled_conv2d(x, self.weight * self.scale)
        else:
            y = modulated_conv2d(x, self.weight, self.affine(style) * self.scale, demodulate=False)
        return y + self.bias[:, None, None]


class SynthesisBlock(nn.Module):
    """The layers of one side: b4 begins with a constant, the others double the side; the last ends in an image.

    Args:
        in_channels, out_channels: Of its feature maps; the block that begins with a constant has no input, 0.
        side: In pixels.
        last: Ends in a further layer and an image.
        colors, style_size, architecture, between, styled: See ``Synthesis``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        colors: int,
        style_size: int,
        side: int,
        last: bool,
        architecture: Architecture,
        between: Between,
        styled: bool,
    ) -> None:
        super().__init__()
        self.first, self.side = in_channels == 0, side

        def layer(fan_in: int, up: bool = False) -> SynthesisLayer:
            return SynthesisLayer(fan_in, out_channels, style_size, side, up, between(out_channels, side), styled)

        if self.first:
            self.const = nn.Parameter(torch.randn(out_channels, side, side))
        else:
            self.conv0 = layer(in_channels, up=True)
        self.conv1 = layer(out_channels)
        self.skip = self.conv_last = self.torgb = None
        if architecture == "resnet" and not self.first:
            self.skip = EqualizedConv2d(in_channels, out_channels, 1, bias=False, activation=False, up=True)
        if last:
            self.conv_last = SynthesisLayer(out_channels, out_channels, style_size, side, styled=styled, plain_end=True)
        if last or architecture == "skip":
            self.torgb = ToImage(out_channels, colors, style_size, styled)
        self.num_layers = 2 - self.first + last  # without the image's

    def forward(
        self, x: Tensor | None, image: Tensor | None, styles: list[Tensor], noise: Noise, contexts: list[dict[str, Any]]
    ) -> tuple[Tensor, Tensor | None]:
        half = math.sqrt(0.5)
        queue, around = iter(styles), iter(contexts)
        if self.first:
            style = next(queue)
            x = self.conv1(self.const.expand(style.shape[0], -1, -1, -1), style, noise, **next(around))
        else:
            assert x is not None
            y = self.conv0(x, next(queue), noise, **next(around))
            if self.skip is None:
                x = self.conv1(y, next(queue), noise, **next(around))
            else:
                x = self.skip(x, half) + self.conv1(y, next(queue), noise, half, **next(around))
        if self.conv_last is not None:
            x = self.conv_last(x, next(queue), noise)
            next(around)
        assert x is not None
        if self.torgb is not None:
            found = self.torgb(x, next(queue))
            image = found if image is None else upsample(image) + found
        return x, image


class Synthesis(nn.Module):
    """Styles (B, num_layers, D), or with latents (B, K + 1, num_layers, D) -> images (B, colors, S, S).

    The layers' order in ``num_layers`` is b4.conv1, b8.conv0, b8.conv1, ..., conv_last, torgb; with the architecture
    ``skip`` the image of a block shares its number with the next block's first layer. Of latents the last is the style.

    Args:
        image_size: Side S, a power of two.
        colors: Channels of an image.
        style_size: D.
        width: Channels at side s are ``width`` / s,
        most: but at most so many.
        architecture: ``skip`` adds the images of all sides; ``resnet`` adds each block's input to its output.
        between: See ``Between``.
        styled: See ``SynthesisLayer``.
    """

    def __init__(
        self,
        image_size: int,
        colors: int,
        style_size: int,
        width: int,
        most: int,
        architecture: Architecture = "skip",
        between: Between = lambda channels, side: None,
        styled: bool = True,
    ) -> None:
        super().__init__()
        self.sides, self.num_layers, fan_in = sides(image_size), 1, 0
        for side in self.sides:
            fan_out, last = channels_at(side, width, most), side == image_size
            block = SynthesisBlock(fan_in, fan_out, colors, style_size, side, last, architecture, between, styled)
            self.add_module(f"b{side}", block)
            self.num_layers += block.num_layers
            fan_in = fan_out

    def forward(self, ws: Tensor, noise: Noise = "const", **shared: Any) -> Tensor:
        """``shared`` is passed to the attention of every layer, with the latents of that layer."""
        x, image, number = None, None, 0
        for side in self.sides:
            block = self.get_submodule(f"b{side}")
            count: int = block.num_layers  # type: ignore[assignment]
            numbers = range(number, number + count + 1)
            styles = [ws[:, n] if ws.ndim == 3 else ws[:, -1, n] for n in numbers]
            contexts = [shared | {"latents": ws[:, :-1, n]} if ws.ndim == 4 else {} for n in numbers]
            x, image = block(x, image, styles, noise, contexts)
            number += count
        assert image is not None
        return image


class DiscriminatorBlock(nn.Module):
    """(B, in_channels, S, S) -> (B, out_channels, S / 2, S / 2), with a shortcut; the first begins with an image.

    Args:
        colors, in_channels, out_channels: Sizes.
        first: Begins with an image of ``colors`` channels.
    """

    def __init__(self, colors: int, in_channels: int, out_channels: int, first: bool) -> None:
        super().__init__()
        self.fromrgb = EqualizedConv2d(colors, in_channels, 1) if first else None
        self.conv0 = EqualizedConv2d(in_channels, in_channels, 3)
        self.conv1 = EqualizedConv2d(in_channels, out_channels, 3, down=True)
        self.skip = EqualizedConv2d(in_channels, out_channels, 1, bias=False, activation=False, down=True)

    def forward(self, x: Tensor) -> Tensor:
        if self.fromrgb is not None:
            x = self.fromrgb(x)
        half = math.sqrt(0.5)
        return self.skip(x, half) + self.conv1(self.conv0(x), half)


class DiscriminatorEnd(nn.Module):
    """(B, C, 4, 4) -> logits (B,), with the deviation within groups of the batch.

    Args:
        channels: C.
        group_size: See ``Discriminator``.
    """

    def __init__(self, channels: int, group_size: int) -> None:
        super().__init__()
        self.conv = EqualizedConv2d(channels + 1, channels, 3)
        self.fc = EqualizedLinear(16 * channels, channels, activation=True)
        self.out = EqualizedLinear(channels, 1)
        self.group_size = group_size

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.fc(self.conv(minibatch_deviation(x, self.group_size)).flatten(1)))[:, 0]


class Discriminator(nn.Module):
    """StyleGAN2's discriminator with residual blocks. Images (B, colors, S, S) -> logits (B,).

    Args:
        image_size, colors, width, most: As of ``Synthesis``.
        group_size: Samples that the minibatch deviation compares.
    """

    def __init__(self, image_size: int, colors: int, width: int, most: int, group_size: int = 4) -> None:
        super().__init__()
        self.sides = sides(image_size)[::-1]
        for side in self.sides[:-1]:
            fan_in, fan_out = (channels_at(s, width, most) for s in (side, side // 2))
            self.add_module(f"b{side}", DiscriminatorBlock(colors, fan_in, fan_out, first=side == image_size))
        self.b4 = DiscriminatorEnd(channels_at(4, width, most), group_size)

    def forward(self, x: Tensor) -> Tensor:
        for side in self.sides:
            x = self.get_submodule(f"b{side}")(x)
        return x
