"""Layers of the convolution topic against independent forms of them: values, and gradients by images and kernels."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.convolution.pooling import BlurPool2d, pool2d
from lit_models.convolution.separable import DepthwiseSeparable2d
from lit_models.convolution.tiled import TiledConv2d
from lit_models.convolution.unshared import UnsharedConv2d
from scripts.evidence.parity.convolution import SHAPES, Operation, check


def unshared(x: Tensor, weight: Tensor) -> Tensor:
    layer = UnsharedConv2d(4, 6, (9, 8), 3, stride=2, padding=1).double()
    return torch.func.functional_call(layer, {"weight": weight}, (x,)) - layer.bias.detach()


def unshared_one_by_one(x: Tensor, weight: Tensor, transposed: bool = False) -> Tensor:
    """A dense layer for each place, as it is defined; or with the places counted down columns."""
    x = F.pad(x, [1] * 4)
    places = [(i, j) for i in range(5) for j in range(4)]
    rows = [j * 5 + i if transposed else i * 4 + j for i, j in places]
    patches = [x[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].flatten(1) for i, j in places]
    y = torch.stack([F.linear(patch, weight[row]) for patch, row in zip(patches, rows, strict=True)], 2)
    return y.view(len(x), -1, 5, 4)


def tiled(x: Tensor, weight: Tensor) -> Tensor:
    layer = TiledConv2d(4, 6, 3, stride=2, padding=1, tiles=2).double()
    zeros = torch.zeros_like(layer.bias)
    return torch.func.functional_call(layer, {"weight": weight, "bias": zeros}, (x,))


def tiled_by_masks(x: Tensor, weight: Tensor, swapped: bool = False) -> Tensor:
    """Each kernel everywhere, and what is not its turn thrown away; or rows and columns exchanged."""
    total = x.new_zeros(len(x), 6, 5, 4)
    for a in range(2):
        for b in range(2):
            mask = torch.zeros(5, 4, dtype=x.dtype)
            mask[a::2, b::2] = 1
            total = total + mask * F.conv2d(x, weight[b, a] if swapped else weight[a, b], stride=2, padding=1)
    return total


def depthwise_separable(x: Tensor, depth: Tensor, point: Tensor) -> Tensor:
    layer = DepthwiseSeparable2d(4, 6, 3, padding=1).double()
    weights = {"depthwise.weight": depth, "pointwise.weight": point, "pointwise.bias": torch.zeros(6).double()}
    return torch.func.functional_call(layer, weights, (x,))


def one_kernel(x: Tensor, depth: Tensor, point: Tensor, mixed: bool = False) -> Tensor:
    """The ordinary convolution that the two are; or with the first channel's kernel for all."""
    return F.conv2d(x, point * (depth[:1] if mixed else depth).squeeze(1), padding=1)


def pools(x: Tensor, by: Operation) -> Tensor:
    return torch.cat([by(x, kind).flatten() for kind in ("max", "avg", "l2")])


def torch_pool(x: Tensor, kind: str, padding: int = 0) -> Tensor:
    if kind == "l2":
        return F.lp_pool2d(x, 2.0, 3, 2)
    if kind == "avg":
        return F.avg_pool2d(x, 3, 2, padding)
    return F.max_pool2d(x, 3, 2)


def blur(x: Tensor, box: bool = False) -> Tensor:
    """Two averages of two in each direction, a stride: the binomial kernel. Or one average of three."""
    x = F.pad(x, [1] * 4, mode="reflect")
    return F.avg_pool2d(x, 3, 2) if box else F.avg_pool2d(F.avg_pool2d(x, 2, 1), 2, 1)[..., ::2, ::2]


CHECKS = [
    check(
        "separable",
        "depthwise and pointwise convolution as one ordinary kernel",
        (SHAPES[0], (4, 1, 3, 3), (6, 4, 1, 1)),
        depthwise_separable,
        one_kernel,
        partial(one_kernel, mixed=True),
        "one spatial kernel for all channels",
    ),
    check(
        "unshared",
        "a kernel for each position, as dense layers one by one",
        (SHAPES[0], (20, 6, 36)),
        unshared,
        unshared_one_by_one,
        partial(unshared_one_by_one, transposed=True),
        "positions counted down the columns",
    ),
    check(
        "tiled",
        "kernels that take turns, as masked convolutions",
        (SHAPES[0], (2, 2, 6, 4, 3, 3)),
        tiled,
        tiled_by_masks,
        partial(tiled_by_masks, swapped=True),
        "rows and columns of the tiles exchanged",
    ),
    check(
        "pooling",
        "maximum, mean and l2 pooling",
        (SHAPES[0],),
        lambda x: pools(x, lambda x, kind: pool2d(x, kind, 3, 2)),
        lambda x: pools(x, torch_pool),
        lambda x: pools(x, lambda x, kind: torch_pool(x, "avg" if kind == "max" else kind)),
        "the mean for the maximum",
    ),
    check(
        "blur",
        "binomial blur before the stride",
        (SHAPES[0],),
        lambda x: BlurPool2d(3).double()(x),
        blur,
        partial(blur, box=True),
        "a box for the binomial kernel",
    ),
]
