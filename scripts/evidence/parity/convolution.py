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
from scripts.evidence.verify import Check, Tensors

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


def torch_settings(flipped: bool = False) -> Operation:
    return lambda x, w, b: F.conv2d(x, w.flip(2, 3) if flipped else w, b, (2, 1), (1, 2), (2, 1), groups=2)


CHECKS = [
    check(
        "cross_correlation",
        "padding, stride, dilation and groups as a sum over kernel entries",
        (SHAPES[0], (6, 2, 3, 3), (6,)),
        lambda x, w, b: correlate2d(x, w, b, (2, 1), (1, 2), (2, 1), 2),
        torch_settings(),
        torch_settings(flipped=True),
        "the kernel flipped: a convolution",
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
