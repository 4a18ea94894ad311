"""The mathematics of convolution against torch and scipy: values, and gradients by image and kernel."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from scipy.signal import convolve2d as scipy_convolve2d
from torch import Tensor
from torch.nn import functional as F

from lit_models.convolution.by_hand import Correlation, transposed2d
from lit_models.convolution.cross_correlation import convolve2d, correlate2d
from lit_models.convolution.fourier import fft_correlate2d
from lit_models.convolution.im2col import im2col_correlate2d
from lit_models.convolution.matrix import layer_matrix
from lit_models.convolution.pooling import BlurPool2d, pool2d
from lit_models.convolution.separable import DepthwiseSeparable2d
from lit_models.convolution.tiled import TiledConv2d
from lit_models.convolution.unshared import UnsharedConv2d
from scripts.verify import Check, Tensors

Operation = Callable[..., Tensor]


def tensors(*shapes: tuple[int, ...]) -> list[Tensor]:
    """Random float64 leaves, the same at each call."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]


def quantities(operation: Operation, *shapes: tuple[int, ...]) -> Tensors:
    """The operation's values, and the gradients of a random projection of them by each of its inputs."""
    inputs = tensors(*shapes)
    y = operation(*inputs)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    gradients = torch.autograd.grad((y * direction).sum(), inputs)
    return {"values": y.detach()} | {f"grad {k}": g for k, g in enumerate(gradients)}


SHAPES = ((2, 4, 9, 8), (6, 4, 3, 3), (6,))  # images, kernels, biases


def check(name: str, claim: str, shapes: Any, ours: Operation, theirs: Operation, wrong: Operation, why: str) -> Check:
    return Check(
        name=f"convolution/{name}",
        claim=claim,
        package="torch",
        ours=partial(quantities, ours, *shapes),
        reference=partial(quantities, theirs, *shapes),
        control=partial(quantities, wrong, *shapes),
        mistake=why,
    )


def by_matrix(x: Tensor, weight: Tensor) -> Tensor:
    y = x.flatten(1) @ layer_matrix(weight, x.shape[2], x.shape[3], stride=2).T
    return y.view(len(x), len(weight), 4, 3)


def wrapped(x: Tensor, weight: Tensor) -> Tensor:
    """By FFT without padding enough: the circular answer, taken at the place of the linear one."""
    y = torch.fft.irfft2(
        torch.einsum("bcij,ocij->boij", torch.fft.rfft2(x), torch.fft.rfft2(weight, s=(9, 8)).conj()), s=(9, 8)
    )
    return y.roll((1, 1), (-2, -1))


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


def scipy_quantities(flipped: bool = True) -> Tensors:
    """The full convolution by scipy; its gradients from the same routine, since the transpose of a convolution is the
    valid correlation. Or with the kernel as it is.
    """
    x, w = (t.detach() for t in tensors((1, 1, 6, 5), (1, 1, 3, 2)))
    image, kernel = x[0, 0].numpy(), (w[0, 0] if flipped else w[0, 0].flip(0, 1)).numpy()
    y = scipy_convolve2d(image, kernel)
    direction = torch.randn((1, 1, *y.shape), generator=torch.Generator().manual_seed(2), dtype=torch.float64)[0, 0]
    to_image = scipy_convolve2d(direction.numpy(), kernel[::-1, ::-1], mode="valid")
    to_kernel = scipy_convolve2d(direction.numpy(), image[::-1, ::-1], mode="valid")
    found = {"values": y, "grad 0": to_image, "grad 1": to_kernel}
    return {name: torch.from_numpy(value.copy())[None, None] for name, value in found.items()}


def torch_settings(dilation: Any) -> Operation:
    return lambda x, w, b: F.conv2d(x, w, b, (2, 1), (1, 2), dilation, groups=2)


CHECKS = [
    check(
        "cross_correlation",
        "padding, stride, dilation and groups as a sum over kernel entries",
        (SHAPES[0], (6, 2, 3, 3), (6,)),
        lambda x, w, b: correlate2d(x, w, b, (2, 1), (1, 2), (2, 1), 2),
        torch_settings((2, 1)),
        torch_settings((1, 2)),
        "the dilations of rows and columns exchanged",
    ),
    check(
        "by_hand",
        "the gradients of a convolution written out",
        SHAPES,
        lambda x, w, b: Correlation.apply(x, w, b, 2, 1),
        partial(F.conv2d, stride=2, padding=1),
        lambda x, w, b: F.conv2d(x, w.flip(2, 3), b, stride=2, padding=1),
        "the kernel flipped",
    ),
    check(
        "transposed",
        "transposed convolution",
        ((2, 6, 5, 4), SHAPES[1], (4,)),
        lambda y, w, b: transposed2d(y, w, b, 2, 1, 1),
        lambda y, w, b: F.conv_transpose2d(y, w, b, 2, 1, 1),
        lambda y, w, b: F.pad(F.conv_transpose2d(y, w, b, 2, 1, 0), (0, 1, 0, 1)),
        "output_padding taken for zeros at the end",
    ),
    check(
        "matrix",
        "the layer as one sparse matrix with shared entries, stride 2",
        SHAPES[:2],
        by_matrix,
        partial(F.conv2d, stride=2),
        lambda x, w: F.conv2d(x.flip(3), w, stride=2),
        "columns counted from the right",
    ),
    check(
        "fourier",
        "the layer as a product of spectra",
        SHAPES[:2],
        lambda x, w: fft_correlate2d(x, w, padding=1),
        partial(F.conv2d, padding=1),
        wrapped,
        "no zeros around the image: it wraps around",
    ),
    check(
        "im2col",
        "the layer as one matrix product",
        SHAPES,
        lambda x, w, b: im2col_correlate2d(x, w, b, 2, 1),
        partial(F.conv2d, stride=2, padding=1),
        lambda x, w, b: (
            (w.transpose(1, 2).flatten(1) @ F.unfold(x, 3, 1, 1, 2)).unflatten(2, (5, 4)) + b[:, None, None]
        ),
        "columns ordered by kernel row before channel",
    ),
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
    Check(
        name="convolution/flip",
        claim="the full convolution of mathematics",
        package="scipy",
        ours=partial(quantities, lambda x, w: convolve2d(x, w), (1, 1, 6, 5), (1, 1, 3, 2)),
        reference=scipy_quantities,
        control=partial(scipy_quantities, flipped=False),
        mistake="the kernel is not flipped: a cross-correlation",
    ),
]
