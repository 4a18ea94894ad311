"""Exact likelihood by the probability flow: an ordinary differential equation that turns the data into noise.

Song et al. 2021, "Score-based generative modeling through stochastic differential equations", section 4.3. In the
coordinates y = x / a over sigma (of a flow, x over s) the velocity is the estimated noise (noise minus data). The
density of y changes by the divergence of the velocity, which is summed exactly here, one derivative for each
dimension: for points in the plane, not for pictures.
"""

import itertools
import math

import torch
from torch import Tensor

from lit_models.functional.diffusion_samplers import Denoise
from lit_models.functional.noise_schedules import Level, NoiseSchedule, at_sigma

COARSE, FINE = 1.15, 1.04  # ratios of two neighbors' sigma: above the first one steps of at most the second are taken


def flow_levels(schedule: NoiseSchedule, steps: int) -> list[Level]:
    """The levels for ``log_likelihood``: ``steps`` at even distances, without one that has no data left, and more of
    them where there is more noise than data and sigma rises fast: the divergence is about D / sigma there.

    Args:
        schedule: Of a flow s rises evenly, and nothing is added.
        steps: As of ``NoiseSchedule.levels``.
    """
    even = schedule.levels(steps, "linspace")[:-1]
    if schedule.flow:
        return even
    levels = [level for level in even if level.a]
    found = levels[:1]
    for level, to in itertools.pairwise(levels):
        ratio = level.sigma / to.sigma
        parts = math.ceil(math.log(ratio) / math.log(FINE)) if ratio > COARSE and to.sigma > 1 else 1
        between = [level.sigma / ratio ** (k / parts) for k in range(1, parts)]
        found += [*(at_sigma(sigma, schedule.sigma_to_t(sigma)) for sigma in between), to]
    return found


def log_likelihood(denoise: Denoise, x: Tensor, levels: list[Level], flow: bool = False) -> Tensor:
    """log p(x) in nats (B,) of x (B, D) at the last of the ``levels``, by Heun's method.

    Args:
        denoise: Estimates data and noise at a level; each row by itself.
        x: Points at the level ``levels[-1]``.
        levels: From the noisiest, at which x has the density N(0, 1), to that of x.
        flow: Whether the schedule is a flow.
    """
    first = levels[-1]
    size = x.shape[1]
    y = x if flow else x / first.a
    logs = 0.0 if flow else -size * math.log(first.a)  # of the change from x to y
    divergences = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for level, to in zip(reversed(levels), list(reversed(levels))[1:], strict=False):
        width = to.s - level.s if flow else to.sigma - level.sigma
        velocity, divergence = velocity_of(denoise, y, level, flow)
        velocity2, divergence2 = velocity_of(denoise, y + width * velocity, to, flow)
        y = y + width / 2 * (velocity + velocity2)
        divergences = divergences + width / 2 * (divergence + divergence2)
    last = levels[0]
    noise = y if flow else y * last.a
    logs += 0.0 if flow else size * math.log(last.a)
    prior = -(noise.square().sum(1) + size * math.log(2 * math.pi)) / 2
    return prior + divergences + logs


def velocity_of(denoise: Denoise, y: Tensor, level: Level, flow: bool) -> tuple[Tensor, Tensor]:
    """The velocity (B, D) at points y (B, D), and its divergence (B,)."""

    def velocity(y: Tensor) -> Tensor:
        data, noise, *_ = denoise(y if flow else level.a * y, level)
        return noise - data if flow else noise

    with torch.enable_grad(), torch.inference_mode(False):
        y = y.clone().requires_grad_()
        value = velocity(y)
        parts: list[Tensor] = []
        for k in range(y.shape[1]):
            (row,) = torch.autograd.grad(value[:, k].sum(), y, retain_graph=k + 1 < y.shape[1])
            parts.append(row[:, k])
    return value.detach(), torch.stack(parts).sum(0)
