"""Acquisition functions: how much a new evaluation at a place is worth, when a function is to be minimized.

Jones, Schonlau and Welch 1998 (expected improvement); Srinivas et al. 2010 (confidence bound); Letham et al. 2019
(noisy expected improvement). D2L 18 names Bayesian optimization without code, D2L 19 needs it.
All take tensors and return a worth (M,), the larger the better, except ``confidence_bound``.
"""

import math
from typing import Any

import torch
from torch import Tensor

from lit_models.functional.gaussian_scores import normal_cdf
from lit_models.gp.regression import safe_cholesky, sample


def expected_improvement(mean: Tensor, std: Tensor, best: Tensor | float) -> Tensor:
    """The mean of max(best - f, 0) over f ~ N(mean, std^2), (M,).

    Args:
        mean, std: Of the function at new places (M,), without the noise.
        best: The smallest value so far.
    """
    std = std.clamp(min=1e-12)
    z = (best - mean) / std
    density = (-z.square() / 2).exp() / math.sqrt(2 * math.pi)
    return std * (z * normal_cdf(z) + density).clamp(min=0)


def confidence_bound(mean: Tensor, std: Tensor, width: float = 2.0) -> Tensor:
    """mean - width std (M,): what the function may be at best. The place with the smallest is to be evaluated."""
    return mean - width * std


def noisy_expected_improvement(gp: Any, x: Tensor, draws: int = 16) -> Tensor:
    """Expected improvement over what the function itself was at the evaluated places, which noise hides, (M,).

    The function's values at the evaluated places are drawn from the posterior; for each draw the improvement is in
    closed form, since they are a data set without noise. Random numbers come from torch.

    Args:
        gp: An ``ExactGP`` that remembers the evaluations; its targets are to be minimized.
        x: New places (M, F).
        draws: Number of draws.
    """
    with torch.no_grad():
        prior = gp.kernel(gp.x, gp.x)
        factor = safe_cholesky(gp.covariance())
        gain = torch.cholesky_solve(prior, factor)  # (K + noise)^-1 K
        mean, covariance = gain.T @ gp.y, prior - prior @ gain
        values = sample((covariance + covariance.T) / 2, draws, mean)  # (S, N)
        eye = torch.eye(len(prior), dtype=prior.dtype, device=prior.device)
        exact = safe_cholesky(prior + 1e-6 * prior.diagonal().mean() * eye)
        cross = gp.kernel(gp.x, x)  # (N, M)
        v = torch.linalg.solve_triangular(exact, cross, upper=False)
        std = (gp.kernel.diagonal(x) - v.square().sum(0)).clamp(min=1e-24).sqrt()
        means = values @ torch.cholesky_solve(cross, exact)  # (S, M)
        gains = expected_improvement(means, std, values.min(1, keepdim=True).values)
        return gains.mean(0) * gp.std
