"""Samplers of diffusion models: from noise to data through the levels of a schedule, with a given denoiser.

- ``ancestral``: a step of the learned reverse chain, whose noise is the posterior's. Ho et al. 2020, algorithm 2.
- ``ddim``: the same denoiser with less noise, ``eta`` times as much; none at 0. Song et al. 2021, equation 12.
- ``euler``, ``heun``: solvers of first and second order of the ordinary differential equation whose solutions have the
  same distributions. Karras et al. 2022, algorithm 1 without its added noise.
- ``dpm``: DPM-Solver++ (2M), a multistep solver of second order in the logarithm of the signal-to-noise ratio. Lu et
  al. 2022.

Euler's method and DDIM with eta 0 are the same step. All work on a schedule that keeps the variance and on a flow
(``noise_schedules.py``). A denoiser sees x at a level and returns its estimates of the data and of the noise; one that
has learned the variance of a step of the reverse chain returns that too. Noise is added before each step but none after
the last one.

A sampler yields x after each step, the last one being the sample.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from lit_models.functional.noise_schedules import Level

Sampler = Literal["ancestral", "ddim", "euler", "heun", "dpm"]
Variance = Literal["small", "large", "learned"]
#: ``denoise(x, level) -> (data, noise)`` or ``(data, noise, fraction)`` (``step_variance``), all of the shape of x.
Denoise = Callable[[Tensor, Level], tuple[Tensor, ...]]


def sample(
    denoise: Denoise,
    x: Tensor,
    levels: list[Level],
    sampler: Sampler = "ancestral",
    eta: float = 0.0,
    variance: Variance = "small",
    generator: torch.Generator | None = None,
    flow: bool = False,
) -> Iterator[Tensor]:
    """Yields x after each step.

    Args:
        denoise: The denoiser.
        x: Noise at the first level.
        levels: From the noisiest to the data without noise (``NoiseSchedule.levels``).
        sampler: One of the file's.
        eta: Of ``ddim``: 0 adds no noise, 1 that of ``ancestral``.
        variance: Of ``ancestral``: ``small``, the posterior's where the data is known, ``large``, where it is N(0, 1)
            (Ho et al. 2020, section 3.2), or ``learned``, what the denoiser says.
        generator: Draws the noise; the global one if None.
        flow: Whether the schedule is a flow, whose equation Heun's method solves in its own coordinates.
    """
    if sampler in ("ancestral", "ddim"):
        yield from _with_noise(denoise, x, levels, 1.0 if sampler == "ancestral" else eta, variance, generator)
    elif sampler == "dpm":
        yield from _dpm(denoise, x, levels)
    else:
        yield from _ode(denoise, x, levels, heun=sampler == "heun", flow=flow)


def added_variance(level: Level, to: Level) -> tuple[float, float]:
    """What lies between two levels: the variance that the noising step from ``to`` to ``level`` adds (beta), and the
    variance of the way back where the data is known.
    """
    beta = level.s**2 - (level.a / to.a) ** 2 * to.s**2
    return beta, beta * to.s**2 / level.s**2


def step_variance(fraction: Tensor, small: Tensor | float, large: Tensor | float) -> Tensor:
    """The learned variance: the way from log ``small`` to log ``large``, a ``fraction`` of it in each place.

    Nichol and Dhariwal 2021, "Improved denoising diffusion probabilistic models", equation 15. The variance
    itself is tiny, and a network learns it badly; the two limits are close to each other except at the end.
    """
    low, high = (torch.as_tensor(x, dtype=fraction.dtype, device=fraction.device).log() for x in (small, large))
    return (low + fraction * (high - low)).exp()


def _with_noise(
    denoise: Denoise, x: Tensor, levels: list[Level], eta: float, variance: str, generator: torch.Generator | None
) -> Iterator[Tensor]:
    """Song et al., equation 12; with eta 1 the mean is Ho et al.'s equation 7."""
    for level, to in pairwise(levels):
        data, noise, *learned = denoise(x, level)
        beta, posterior = added_variance(level, to)
        kept = eta**2 * posterior
        x = to.a * data + math.sqrt(max(to.s**2 - kept, 0.0)) * noise
        new = beta if variance == "large" and eta == 1 else kept
        if to.s and new > 0:  # nothing is added to the sample itself
            fresh = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            if learned and variance == "learned" and eta == 1:
                x = x + step_variance(learned[0], posterior, beta).sqrt() * fresh
            else:
                x = x + math.sqrt(new) * fresh
        yield x


def _ode(denoise: Denoise, x: Tensor, levels: list[Level], heun: bool, flow: bool) -> Iterator[Tensor]:
    """In coordinates in which a perfect denoiser's solutions are nearly straight: x / a over sigma, or x over s."""
    for level, to in pairwise(levels):
        data, noise, *_ = denoise(x, level)
        moved = to.a * data + to.s * noise  # Euler's step, in either coordinates
        if heun and to.s and math.isfinite(level.sigma if not flow else 0.0):
            data2, noise2, *_ = denoise(moved, to)
            if flow:
                moved = x + (to.s - level.s) / 2 * ((noise - data) + (noise2 - data2))
            else:
                moved = to.a * (x / level.a + (to.sigma - level.sigma) / 2 * (noise + noise2))
        x = moved
        yield x


def _dpm(denoise: Denoise, x: Tensor, levels: list[Level]) -> Iterator[Tensor]:
    """Lu et al. 2022, algorithm 2, with a first step and a last step of first order."""
    before: Tensor | None = None  # the data's estimate one step ago
    width = 0.0  # of that step, in log(a / s)
    for level, to in pairwise(levels):
        data, *_ = denoise(x, level)
        ratio = to.s * level.a / (level.s * to.a)  # exp(-h), zero for the step to data without noise
        h = -math.log(ratio) if ratio > 0 else math.inf
        estimate = data
        if before is not None and math.isfinite(h) and math.isfinite(width):
            estimate = data + h / (2 * width) * (data - before)
        x = (to.s / level.s) * x + to.a * (1 - ratio) * estimate
        before, width = data, h
        yield x
