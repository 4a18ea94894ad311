"""Kernel density estimation: a density without parameters, one small Gaussian for each point.

Rosenblatt 1956; Parzen 1962; Silverman 1986, "Density Estimation", 3.4 and 4.3. Goodfellow et al. 5.7. The width of the
kernels is the only choice: too narrow, and the estimate reproduces its sample; too wide, and the modes merge. The
rules of thumb are right for one Gaussian; leaving each point out in turn measures the likelihood of rows not seen.
"""

import math

import torch
from torch import Tensor

from common.messages import UserError


def sample_of(points: Tensor) -> Tensor:
    """Points (N, D) in double precision; (N,) is one column.

    Raises:
        UserError: Fewer than two points, or a column without spread.
    """
    points = points.double()
    points = points[:, None] if points.ndim == 1 else points
    if len(points) < 2:
        raise UserError(f"{len(points)} points: a density needs at least two")
    flat = [j for j in range(points.shape[1]) if points[:, j].min() == points[:, j].max()]
    if flat:
        raise UserError(f"column {flat[0]} has one value only: leave it out")
    return points


def scott(points: Tensor) -> float:
    """Scott's factor n^(-1 / (d + 4)) (1992), in units of the sample's deviations."""
    n, d = sample_of(points).shape
    return n ** (-1 / (d + 4))


def silverman(points: Tensor) -> float:
    """Silverman's factor (n (d + 2) / 4)^(-1 / (d + 4)): the best in mean squared error for a Gaussian."""
    n, d = sample_of(points).shape
    return (n * (d + 2) / 4) ** (-1 / (d + 4))


def log_density(points: Tensor, x: Tensor, factor: float) -> Tensor:
    """log p (M,) at x (M, D): the mean of Gaussians at the points, each with the sample's covariance times factor^2.

    Args:
        points: The sample (N, D).
        x: Where to look (M, D).
        factor: Width of a kernel in units of the sample's deviations.

    Raises:
        UserError: A factor that is not above 0, or a singular covariance.
    """
    points, x = sample_of(points), x.double()
    x = x[:, None] if x.ndim == 1 else x
    return _log_kernels(points, x, factor).logsumexp(1) - math.log(len(points))


def left_out_likelihood(points: Tensor, factor: float) -> float:
    """The mean log-density of each point under the kernels of all others, in nats.

    Without leaving it out, each point would have its own kernel at its center, and the narrowest width would win.
    """
    points = sample_of(points)
    kernels = _log_kernels(points, points, factor)
    kernels.fill_diagonal_(-math.inf)
    return float((kernels.logsumexp(1) - math.log(len(points) - 1)).mean())


def best_factor(points: Tensor, factors: Tensor | None = None) -> float:
    """The factor of the largest left-out likelihood; 60 from a hundredth to 3 if none are given."""
    candidates = torch.logspace(-2, math.log10(3), 60) if factors is None else factors
    return max((float(f) for f in candidates), key=lambda f: left_out_likelihood(points, f))


def _log_kernels(points: Tensor, x: Tensor, factor: float) -> Tensor:
    """The log-density (M, N) at each x of the kernel around each point."""
    if not factor > 0:
        raise UserError(f"the factor is {factor}: a width is above 0")
    covariance = torch.atleast_2d(torch.cov(points.T)) * factor**2
    cholesky, info = torch.linalg.cholesky_ex(covariance)
    if int(info) > 0:
        raise UserError(
            f"the covariance is singular: column {int(info) - 1} is a combination of those before; leave it out"
        )
    centers, places = (torch.linalg.solve_triangular(cholesky, rows.T, upper=False).T for rows in (points, x))
    squares = torch.cdist(places, centers, compute_mode="donot_use_mm_for_euclid_dist").square()  # (M, N)
    return -squares / 2 - cholesky.diagonal().log().sum() - points.shape[1] / 2 * math.log(2 * math.pi)
