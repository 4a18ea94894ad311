"""How many test samples does a claim need? Standard error, Hoeffding's bound, many models on one test set.

Hoeffding 1963; Vapnik and Chervonenkis 1971; Dwork et al. 2015, "The reusable holdout". D2L 4.6, which has no code.
The section's numbers for an error rate known to within 0.01 are 2,500 samples for one standard deviation, 10,000 for
two (95%), and about 15,000 where nothing but Hoeffding's inequality is used. The last is for one side; both sides, as
"to within" says, take 18,445.
"""

import math

import torch
from torch import Tensor

WORST = 0.5  # the error rate whose indicator varies most: variance 1/4


def standard_error(rate: float, samples: int) -> float:
    """Standard deviation of an error rate measured on so many samples: sqrt(rate (1 - rate) / samples)."""
    return math.sqrt(rate * (1 - rate) / samples)


def samples_for_standard_error(error: float, deviations: float = 1.0, rate: float = WORST) -> int:
    """Samples with which so many standard deviations are at most ``error``.

    Args:
        error: Half the width of the interval, e.g. 0.01.
        deviations: 1 covers 68%, 2 covers 95% of the measurements.
        rate: The true error rate; unknown, it is taken as the worst.
    """
    return ceil(rate * (1 - rate) * (deviations / error) ** 2)


def hoeffding_bound(error: float, samples: int, sides: int = 2) -> float:
    """Bound on the probability that a rate is off by ``error`` or more: sides * exp(-2 n error^2), for every n."""
    return min(1.0, sides * math.exp(-2 * samples * error**2))


def samples_for_hoeffding(error: float, risk: float = 0.05, sides: int = 2, models: int = 1) -> int:
    """Samples with which no rate of ``models`` models is off by ``error`` or more, but with probability ``risk``.

    The models share the risk (union bound): they must be chosen before the test set is seen.
    """
    return ceil(math.log(sides * models / risk) / (2 * error**2))


def generalization_gap(vc_dimension: int, samples: int, risk: float = 0.05) -> float:
    """Vapnik's bound on true minus training error, for all functions of a class at once, with probability 1 - risk.

    sqrt((d (log(2 n / d) + 1) + log(4 / risk)) / n): vacuous (above 1) for networks with more parameters than samples.
    """
    d, n = vc_dimension, samples
    return math.sqrt((d * (math.log(2 * n / d) + 1) + math.log(4 / risk)) / n)


def best_of_many(models: int, samples: int, generator: torch.Generator | None = None) -> Tensor:
    """Test accuracy () of the best of so many models that toss a coin: what selection on the test set is worth."""
    right = torch.rand(models, samples, generator=generator) < 0.5
    return right.float().mean(1).max()


def expected_gain(models: int, samples: int) -> float:
    """Bound on how far the best of ``models`` measured rates lies above the true one: sqrt(log(models) / 2 n)."""
    return math.sqrt(math.log(models) / (2 * samples))


def ceil(value: float) -> int:
    """The next whole number, forgiving the last digits of floating point: 2500.0000000000005 is 2500."""
    return math.ceil(value - 1e-9 * value)
