"""Estimators: bias, variance and mean squared error, by simulation and by formula; intervals and their coverage.

Goodfellow et al. 5.4; D2L 22.10. Bessel 1818 (the divisor N - 1); Cramer 1946 and Rao 1945 (the least possible
variance); Efron 1979 (the bootstrap). Simulations draw all repetitions at once, as a matrix of samples (R, N).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

from common.messages import UserError

Estimator = Callable[[Tensor], Tensor]  #: samples (R, N) -> estimates (R,)


@dataclass(frozen=True)
class Decomposition:
    """mse = bias^2 + variance, of one parameter.

    Args:
        bias: Mean of the estimates minus the true value.
        variance: Of the estimates.
        mse: Mean squared distance from the true value.
        standard_error: Of the measured bias; 0 by formula.
    """

    bias: float
    variance: float
    mse: float
    standard_error: float


def decompose(estimates: Tensor, truth: float) -> Decomposition:
    """Bias, variance and mean squared error of estimates (R,) of a true value.

    Raises:
        UserError: There is no estimate.
    """
    if not len(estimates):
        raise UserError("the sample of estimates is empty")
    bias = float(estimates.mean()) - truth
    variance = float(estimates.var(correction=0))
    mse = float((estimates - truth).square().mean())
    return Decomposition(bias, variance, mse, math.sqrt(variance / len(estimates)))


def variance_estimate(divisor: int) -> Estimator:
    """Sum of squared deviations from the sample mean, over N - ``divisor``: 0 is maximum likelihood, 1 is Bessel's."""
    return lambda x: (x - x.mean(1, keepdim=True)).square().sum(1) / (x.shape[1] - divisor)


def normal_variance_decomposition(n: int, variance: float, divisor: int) -> Decomposition:
    """By formula, of ``variance_estimate`` on n normal values: (N - 1) S^2 / sigma^2 is chi-square with N - 1 degrees.

    The divisor N + 1 (``divisor`` -1) has the least mean squared error; N - 1 has no bias.
    """
    scale = (n - 1) / (n - divisor)
    bias = (scale - 1) * variance
    spread = 2 * variance**2 * (n - 1) / (n - divisor) ** 2
    return Decomposition(bias, spread, bias**2 + spread, 0.0)


def cramer_rao(fisher_information: float, n: int, bias_derivative: float = 0.0) -> float:
    """The least possible variance of an estimator from n independent values: (1 + b')^2 / (n I).

    Args:
        fisher_information: Of one value, e.g. 1 / (p (1 - p)) for a coin, 1 / sigma^2 for a normal mean.
        n: Values.
        bias_derivative: Of the estimator's bias by the parameter.
    """
    if not fisher_information > 0:
        raise UserError(f"the Fisher information is {fisher_information}: it must be above 0")
    return (1 + bias_derivative) ** 2 / (n * fisher_information)


def fisher_information(log_prob: Callable[[Tensor, Tensor], Tensor], theta: float, values: Tensor) -> float:
    """The mean square of the score d log p(x | theta) / d theta over values (N,) drawn at theta."""
    t = torch.full_like(values, theta).requires_grad_()
    (score,) = torch.autograd.grad(log_prob(values, t).sum(), t)
    return float(score.square().mean())


# -- intervals --------------------------------------------------------------------------------------------------------


def t_interval(x: Tensor, level: float = 0.95) -> tuple[Tensor, Tensor]:
    """Student's confidence interval of the mean, of samples (R, N): low and high, each (R,)."""
    n = x.shape[1]
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * x.std(1) / math.sqrt(n)
    return x.mean(1) - half, x.mean(1) + half


def bootstrap_interval(
    x: Tensor,
    estimator: Estimator,
    level: float = 0.95,
    resamples: int = 500,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Percentile bootstrap of samples (R, N): low and high, each (R,).

    It covers too little where samples are few and skewed: quantiles of a resampled mean repeat the sample's own skew.
    """
    r, n = x.shape
    estimates = []
    for _ in range(resamples):
        index = torch.randint(n, (r, n), generator=generator)
        estimates.append(estimator(x.gather(1, index)))
    ordered = torch.stack(estimates)  # (resamples, R)
    bounds = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=x.dtype)
    low, high = torch.quantile(ordered, bounds, dim=0)
    return low, high


def coverage(low: Tensor, high: Tensor, truth: float) -> tuple[float, float]:
    """The fraction of intervals (R,) that hold the true value, and its standard error."""
    inside = float(((low <= truth) & (truth <= high)).double().mean())
    return inside, math.sqrt(inside * (1 - inside) / len(low))


# -- tests of hypotheses ----------------------------------------------------------------------------------------------


def z_test(mean: float, null: float, std: float, n: int) -> float:
    """Two-sided p-value of a mean of n values with a known standard deviation. D2L 22.10.2."""
    if not std > 0:
        raise UserError(f"the standard deviation is {std}: it must be above 0")
    return float(2 * stats.norm.sf(abs(mean - null) / std * math.sqrt(n)))


def power(effect: float, std: float, n: int, alpha: float = 0.05) -> float:
    """Probability that the two-sided z-test of level ``alpha`` finds a shift of ``effect`` with n values."""
    critical = float(stats.norm.isf(alpha / 2))
    shift = effect / std * math.sqrt(n)
    return float(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))


def holm(p_values: Tensor, alpha: float = 0.05) -> Tensor:
    """Which of p-values (M,) are rejected, with a chance of a false rejection below ``alpha`` (Holm 1979)."""
    order = p_values.argsort()
    limits = alpha / (len(p_values) - torch.arange(len(p_values)))
    passed = (p_values[order] <= limits).long().cumprod(0).bool()
    return torch.zeros(len(p_values), dtype=torch.bool).index_put((order,), passed)


def benjamini_hochberg(p_values: Tensor, rate: float = 0.05) -> Tensor:
    """Which of p-values (M,) are rejected with at most ``rate`` false ones among them on average (1995)."""
    m = len(p_values)
    order = p_values.argsort()
    below = (p_values[order] <= rate * torch.arange(1, m + 1) / m).nonzero()
    count = int(below.max()) + 1 if len(below) else 0
    return torch.zeros(m, dtype=torch.bool).index_fill(0, order[:count], True)
