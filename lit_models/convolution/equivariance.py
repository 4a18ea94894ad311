"""Measures of equivariance: which outputs move with the image, which stay, and which do neither.

Goodfellow et al. 9.2 and 9.3. f is equivariant to g when f(g(x)) = g'(f(x)), and invariant when g' does nothing. A
convolution is equivariant to shifts; to turns, mirrors and scales it is not. Padding breaks it at the edges, a stride
breaks it but for whole strides, pooling likewise, and blurring before the stride mends most of that (``pooling.py``).
"""

from collections.abc import Callable

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def shift(rows: int, columns: int) -> Map:
    """Moves images or maps (..., H, W) by whole pixels; what leaves at one edge comes in at the other."""
    return lambda x: x.roll((rows, columns), (-2, -1))


def sample_shift(rows: float, columns: float) -> Map:
    """Moves maps (..., H, W) by parts of a pixel: a phase for each frequency, which is exact below half the sampling
    rate.

    The frequency at the very limit has no direction to move in and loses its sine: that part is not moved.
    """

    def move(x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        phase = rows * torch.fft.fftfreq(h, dtype=x.dtype, device=x.device)[:, None]
        phase = phase + columns * torch.fft.rfftfreq(w, dtype=x.dtype, device=x.device)
        return torch.fft.irfft2(torch.fft.rfft2(x) * torch.exp(-2j * torch.pi * phase), s=(h, w))

    return move


def equivariance_error(f: Map, x: Tensor, before: Map, after: Map | None = None) -> float:
    """The distance of f(before(x)) and after(f(x)), relative to that of a random pairing.

    Args:
        f: What is measured.
        x: Images (B, ...), at least two.
        before: The change of the images.
        after: What it should do to the output; None means nothing: invariance.

    Returns:
        Root mean square difference over that between the outputs of different images: 0 is equivariant, 1 is no
        closer than the outputs for other images.
    """
    with torch.no_grad():
        y = f(x)
        expected = y if after is None else after(y)
        difference = (f(before(x)) - expected).square().mean()
        apart = (expected - expected.roll(1, 0)).square().mean()
    return float((difference / apart).sqrt())


def prediction_consistency(f: Map, x: Tensor, before: Map) -> float:
    """Fraction of images whose predicted class stays the same when they are changed (Zhang 2019)."""
    with torch.no_grad():
        return float((f(x).argmax(1) == f(before(x)).argmax(1)).float().mean())
