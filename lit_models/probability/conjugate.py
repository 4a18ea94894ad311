"""Conjugate pairs: posteriors in closed form, their intervals and their evidence.

Bishop 2006, 2.1 to 2.3; Gelman et al. 2013, "Bayesian Data Analysis", 2. Goodfellow et al. 5.6. A credible interval
holds the parameter with the stated probability given these data and this prior; a confidence interval
(``lit_models/probability/estimators.py``) holds it in the stated fraction of repetitions, whatever the parameter.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from common.messages import UserError


def positive(**values: float) -> None:
    """Raises a ``UserError`` for the first value that is not above 0."""
    for name, value in values.items():
        if not value > 0:
            raise UserError(f"{name} is {value}: it must be above 0")


@dataclass(frozen=True)
class BetaBernoulli:
    """A probability with prior Beta(a, b): (1, 1) is uniform.

    Args:
        a, b: Successes and failures that the prior is worth, plus one each for the uniform one.
    """

    a: float = 1.0
    b: float = 1.0

    def __post_init__(self) -> None:
        positive(a=self.a, b=self.b)

    def after(self, successes: int, failures: int) -> "BetaBernoulli":
        """The posterior."""
        if min(successes, failures) < 0:
            raise UserError(f"{successes} successes and {failures} failures: counts are at least 0")
        return BetaBernoulli(self.a + successes, self.b + failures)

    @property
    def mean(self) -> float:
        """The expected probability: also that of the next success."""
        return self.a / (self.a + self.b)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The central credible interval."""
        low, high = stats.beta.interval(level, self.a, self.b)
        return float(low), float(high)

    def log_evidence(self, successes: int, failures: int) -> float:
        """log p(data) of one sequence of so many successes and failures: what models are compared by."""
        return float(special.betaln(self.a + successes, self.b + failures) - special.betaln(self.a, self.b))


@dataclass(frozen=True)
class GammaPoisson:
    """A rate with prior Gamma(shape, rate).

    Args:
        shape, rate: Events, and the time in which the prior has seen them.
    """

    shape: float = 1.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        positive(shape=self.shape, rate=self.rate)

    def after(self, counts: np.ndarray) -> "GammaPoisson":
        """The posterior after counts (N,), one for each unit of time."""
        counts = np.asarray(counts)
        if (counts < 0).any() or (counts != np.floor(counts)).any():
            raise UserError("counts are whole numbers of at least 0")
        return GammaPoisson(self.shape + float(counts.sum()), self.rate + len(counts))

    @property
    def mean(self) -> float:
        """The expected rate."""
        return self.shape / self.rate

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The central credible interval."""
        low, high = stats.gamma.interval(level, self.shape, scale=1 / self.rate)
        return float(low), float(high)

    def log_predictive(self, count: int) -> float:
        """log p(next count): a negative binomial, wider than the Poisson of the mean."""
        return float(stats.nbinom.logpmf(count, self.shape, self.rate / (self.rate + 1)))


@dataclass(frozen=True)
class NormalNormal:
    """A mean with a Gaussian prior, of data with a known deviation.

    Args:
        mean, std: Of the prior.
        noise: Standard deviation of the data.
    """

    mean: float = 0.0
    std: float = 1.0
    noise: float = 1.0

    def __post_init__(self) -> None:
        positive(std=self.std, noise=self.noise)

    def after(self, x: np.ndarray) -> "NormalNormal":
        """The posterior after values (N,): precisions add, means are weighted by them."""
        x = np.asarray(x)
        precision = self.std**-2 + len(x) * self.noise**-2
        mean = (self.mean * self.std**-2 + x.sum() * self.noise**-2) / precision
        return NormalNormal(float(mean), precision**-0.5, self.noise)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The central credible interval of the mean."""
        low, high = stats.norm.interval(level, self.mean, self.std)
        return float(low), float(high)

    def log_evidence(self, x: np.ndarray) -> float:
        """log p(x) of values (N,), the mean integrated out: the sum of the one-step predictions."""
        total, seen = 0.0, self
        for value in np.asarray(x):
            total += float(stats.norm.logpdf(value, seen.mean, (seen.std**2 + seen.noise**2) ** 0.5))
            seen = seen.after(np.array([value]))
        return total
