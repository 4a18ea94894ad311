"""The variational bound of a diffusion model: what a sample costs in nats, level by level.

Ho et al. 2020, equation 5: a lossless code sends the last noise level, then each less noisy one given the one before,
then the data. The sum of all terms bounds -log p(x) from above. Divided by the number of values and by log 2 it is in
bits per dimension.

Pixels are whole numbers: a density of them can be arbitrarily large. Either their last term is the probability of a
pixel's interval (``bins=256``, Ho et al., equation 13), as here, or uniform noise is added to them first. Without one
of the two, bits per dimension mean nothing.
"""

import math

import torch
from torch import Tensor

from lit_models.functional.diffusion_samplers import Variance, added_variance, step_variance
from lit_models.functional.noise_schedules import CLEAN, NoiseSchedule


def bound_terms(
    schedule: NoiseSchedule,
    data: Tensor,
    estimate: Tensor,
    t: Tensor,
    variance: Variance = "small",
    bins: int = 0,
    fraction: Tensor | None = None,
) -> Tensor:
    """The cost in nats (B,) of going from level t to t - 1, from level 0 to the data.

    Args:
        schedule: The noise levels.
        data: The samples (B, ...).
        estimate: The denoiser's estimate of them at level t (B, ...).
        t: The level of each sample (B,).
        variance: Of the reverse steps, see ``diffusion_samplers.sample``. The last step has the larger one of level 0,
            or with ``small`` the posterior's of level 1, since its own is zero.
        bins: Number of whole values between -1 and 1 that the data has; 0 for real numbers.
        fraction: Of ``learned``: what the network says of the variance (``step_variance``), of the data's shape.
    """
    posterior, large, weight = (
        table[t.to("cpu", torch.long)]
        .to(data.device, torch.promote_types(data.dtype, torch.float32))
        .view(-1, *[1] * (data.ndim - 1))
        for table in step_tables(schedule)
    )  # (B, 1, ...) each
    model = large if variance == "large" else posterior
    if variance == "learned" and fraction is not None:
        model = step_variance(fraction, posterior, large)
    squares = (data - estimate).square()
    kl = (posterior / model - 1 + (model / posterior).log() + weight**2 * squares / model) / 2
    if bins:
        last = -log_interval(data, estimate, model.sqrt(), bins)
    else:
        last = ((2 * math.pi * model).log() + squares / model) / 2
    return torch.where(t.to(kl.device).view_as(weight) == 0, last, kl).flatten(1).sum(1)


def step_tables(schedule: NoiseSchedule) -> tuple[Tensor, Tensor, Tensor]:
    """For each level: the posterior's variance, the larger one, and the weight of the data in the posterior's mean
    (T,).
    """
    levels = [schedule.level(t) for t in range(schedule.total)]
    rows = []
    for level, to in zip(levels, [CLEAN, *levels], strict=False):
        beta, posterior = added_variance(level, to)
        rows.append((posterior, beta, to.a * beta / level.s**2))
    small, large, weight = torch.tensor(rows, dtype=torch.float64).T
    small = torch.cat([small[1:2], small[1:]])  # that of level 0 is zero
    return small, large, weight


def prior_term(schedule: NoiseSchedule, data: Tensor) -> Tensor:
    """The cost in nats (B,) of the last noise level under N(0, 1)."""
    a, s = float(schedule.a[-1]), float(schedule.s[-1])
    return ((a * data) ** 2 + s**2 - 1 - 2 * math.log(s)).flatten(1).sum(1) / 2


def log_interval(data: Tensor, mean: Tensor, std: Tensor, bins: int) -> Tensor:
    """log of the probability that N(mean, std^2) is in the interval of each value of ``data``; the outer two intervals
    reach to infinity.
    """
    half = 1 / (bins - 1)
    upper = torch.special.ndtr((data + half - mean) / std)
    lower = torch.special.ndtr((data - half - mean) / std)
    upper = torch.where(data > 1 - half, 1.0, upper)
    lower = torch.where(data < half - 1, 0.0, lower)
    return (upper - lower).clamp(min=1e-12).log()
