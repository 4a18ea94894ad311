"""Pictures from pictures: a hole filled in, and the noise that a given picture comes from.

- ``inpaint``: what is kept comes from the picture, mixed with noise at each level; the rest is sampled. Both halves are
  put together after each step, so that a step knows the picture but not what its own result will be put beside: each
  step is therefore taken several times, with noise added in between. Lugmayr et al. 2022, "RePaint", algorithm 1 with
  jumps of one level.
- ``invert``: the ordinary differential equation of DDIM backwards. Song et al. 2021, section 4.3. The same noise with
  another class gives a similar picture of that class.

Departs from the paper: where the picture is kept and where it is not, the same noise is used; each pixel needs one.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from lit_models.functional.diffusion_samplers import Denoise, added_variance, sample
from lit_models.functional.noise_schedules import Level


def inpaint(
    denoise: Denoise,
    x: Tensor,
    levels: list[Level],
    data: Tensor,
    keep: Tensor,
    repeats: int = 5,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Yields x after each level; in the end the kept values are exactly those of ``data``.

    Args:
        denoise: The denoiser.
        x: Noise at the first level (B, ...).
        levels: From the noisiest to the data without noise.
        data: What is given (B, ...).
        keep: Which values are kept, boolean, of the shape of x or one that broadcasts to it.
        repeats: How often each step but the first is taken. With 1 the new part fits badly to what is kept.
        generator: Draws the noise; the global one if None.
    """

    def fresh() -> Tensor:
        return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)

    for number, (level, to) in enumerate(pairwise(levels)):
        beta, posterior = added_variance(level, to)
        for left in reversed(range(repeats if number else 1)):
            estimate, direction, *_ = denoise(x, level)
            noise = fresh()
            new = to.a * estimate + math.sqrt(max(to.s**2 - posterior, 0.0)) * direction + math.sqrt(posterior) * noise
            x = torch.where(keep, to.a * data + to.s * noise, new)
            if left:  # back to the noisier level, from which the step is taken again
                x = level.a / to.a * x + math.sqrt(beta) * fresh()
        yield x


def invert(denoise: Denoise, data: Tensor, levels: list[Level]) -> Tensor:
    """The noise from which DDIM without noise makes ``data`` (B, ...), about.

    Args:
        denoise: The denoiser.
        data: The samples.
        levels: From the noisiest to the least noisy one, which the data is taken to be at.
    """
    *_, noise = sample(denoise, data, levels[::-1], "euler")  # the same step, without added noise
    return noise
