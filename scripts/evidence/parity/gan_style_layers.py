"""The layers of StyleGAN2 against their formulas, in loops over samples, and the path length against a Jacobian."""

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import signal
from torch import Tensor
from torch.nn import functional as F

from lit_models.gan.style_layers import downsample, fir, modulated_conv2d, upsample
from lit_models.tasks.adversarial_losses import path_length_penalty, path_lengths
from scripts.evidence.verify import Check, Tensors

State = dict[str, Tensor]
LINE = np.array([1.0, 3.0, 3.0, 1.0]) / 8

# -- the filter -----------------------------------------------------------------------------------------------------


def picture() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(1, 1, 6, 8, dtype=torch.float64)


def our_filter() -> Tensors:
    x = picture()
    return {"same": fir(x, 2), "up": upsample(x), "down": downsample(x)}


def scipy_filter(gain: float = 4.0) -> Tensors:
    x, kernel = picture()[0, 0].numpy(), np.outer(LINE, LINE)
    stuffed = np.zeros((12, 16))
    stuffed[::2, ::2] = x
    full = signal.convolve2d(x, kernel)
    found = {
        "same": full[1:-1, 1:-1],
        "down": full[2:-2:2, 2:-2:2],
        "up": signal.convolve2d(stuffed, gain * kernel)[1:13, 1:17],
    }
    return {name: torch.from_numpy(np.ascontiguousarray(value))[None, None] for name, value in found.items()}


# -- layers, written out --------------------------------------------------------------------------------------------


def leaky(x: Tensor) -> Tensor:
    return torch.maximum(x, 0.2 * x) * math.sqrt(2)


def dense(s: State, name: str, x: Tensor, rate: float = 1.0) -> Tensor:
    weight = s[f"{name}.weight"]
    return x @ weight.T * (rate / math.sqrt(weight.shape[1])) + s[f"{name}.bias"] * rate


def filtered(x: Tensor, before: int, after: int, gain: float = 1.0) -> Tensor:
    kernel = torch.from_numpy(np.outer(LINE, LINE))[None, None] * gain
    padded = F.pad(x, [before, after, before, after])
    return F.conv2d(padded.flatten(0, 1)[:, None], kernel).unflatten(0, x.shape[:2])[:, :, 0]


def convolved(x: Tensor, weight: Tensor, up: bool = False, down: bool = False) -> Tensor:
    """First the zeros between pixels and the filter, then the convolution, which is mirrored after ``up``."""
    edge = weight.shape[-1] // 2
    if up:
        stuffed = torch.zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3], dtype=x.dtype)
        stuffed[:, :, ::2, ::2] = x
        return F.conv2d(filtered(stuffed, 2 + edge, 1 + edge, 4.0), weight.flip(2, 3))
    if down:
        return F.conv2d(filtered(x, 1 + edge, 1 + edge), weight)[:, :, ::2, ::2]
    return F.conv2d(x, weight, padding=edge)


def modulated(x: Tensor, weight: Tensor, style: Tensor, up: bool = False, forget_style: bool = False) -> Tensor:
    """A sample at a time, with weights of its own; ``forget_style``: the wrong norms."""
    rows = []
    for sample, s in zip(x, style, strict=True):
        own = weight * s[None, :, None, None]
        norm = (weight if forget_style else own).square().sum((1, 2, 3), keepdim=True)
        rows.append(convolved(sample[None], own / (norm + 1e-8).sqrt(), up))
    return torch.cat(rows)


def modulation_inputs() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(2)
    shapes = ((3, 4, 6, 6), (5, 4, 3, 3), (3, 4))
    return tuple(torch.randn(*shape, dtype=torch.float64).requires_grad_(True) for shape in shapes)  # type: ignore[return-value]


def modulation(function: Any) -> Tensors:
    found: Tensors = {}
    for up in (False, True):
        of = modulation_inputs()
        y = function(*of, up=up)
        y.sin().sum().backward()
        grads = {f"grad {name} {up}": t.grad for name, t in zip(("x", "weight", "style"), of, strict=True)}
        found |= {f"y {up}": y} | grads
    return found


# -- path length ----------------------------------------------------------------------------------------------------


def path_inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(8)
    first, second = torch.randn(5, 4, dtype=torch.float64), torch.randn(12, 5, dtype=torch.float64)
    return first.requires_grad_(True), second, torch.randn(3, 2, 4).double(), torch.randn(3, 1, 3, 4).double()


def our_path_length() -> Tensors:
    """Of the images second tanh(first w), the mean over two layers."""
    first, second, ws, noise = path_inputs()
    ws.requires_grad_(True)
    images = (torch.tanh(ws @ first.T) @ second.T).mean(1).view(3, 1, 3, 4)
    lengths = path_lengths(images, ws, noise)
    penalty, mean = path_length_penalty(lengths, torch.tensor(0.5).double())
    penalty.backward()
    return {"lengths": lengths.detach(), "penalty": penalty.detach(), "mean": mean.detach(), "grad first": first.grad}  # type: ignore[dict-item]


def written_path_length(of_pixels: bool = False) -> Tensors:
    first, second, ws, noise = path_inputs()
    y = noise.flatten(1) if of_pixels else noise.flatten(1) / math.sqrt(12)
    slope = 1 - torch.tanh(ws @ first.T).square()  # (3, 2, 5)
    gradient = (slope * (y @ second)[:, None]) @ first / 2  # (3, 2, 4)
    lengths = gradient.square().sum(2).mean(1).sqrt()
    mean = 0.5 + 0.01 * (lengths.mean() - 0.5)
    penalty = (lengths - mean).square().mean()
    penalty.backward()
    return {"lengths": lengths.detach(), "penalty": penalty.detach(), "mean": mean.detach(), "grad first": first.grad}  # type: ignore[dict-item]


CHECKS = [
    Check(
        name="gan/filter",
        claim="the filter [1, 3, 3, 1], alone and with twice and half the pixels, against scipy.signal.convolve2d",
        package="scipy",
        ours=our_filter,
        reference=scipy_filter,
        control=partial(scipy_filter, gain=1.0),
        mistake="no gain of 4 for the zeros between the pixels",
        without="gradients: the filter has no parameters, and the networks' checks go through it",
    ),
    Check(
        name="gan/modulated_conv2d",
        claim="modulated convolution with demodulation, also with twice the side, against a loop over samples",
        package="torch",
        ours=partial(modulation, modulated_conv2d),
        reference=partial(modulation, modulated),
        control=partial(modulation, partial(modulated, forget_style=True)),
        mistake="norms of the weights without the style",
    ),
    Check(
        name="gan/modulated_conv2d_grouped",
        claim="the same with a convolution of as many groups as samples",
        package="torch",
        ours=partial(modulation, partial(modulated_conv2d, grouped=True)),
        reference=partial(modulation, modulated),
        control=partial(modulation, partial(modulated, forget_style=True)),
        mistake="norms of the weights without the style",
    ),
    Check(
        name="gan/path_length",
        claim="path lengths, their moving mean and the penalty against a network whose Jacobian is written down",
        package="torch",
        ours=our_path_length,
        reference=written_path_length,
        control=partial(written_path_length, of_pixels=True),
        mistake="noise not divided by the square root of the number of pixels",
    ),
]
