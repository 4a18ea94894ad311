"""Scores of a prediction that is a normal distribution: likelihood, CRPS, and whether its intervals are calibrated.

Gneiting and Raftery 2007, "Strictly Proper Scoring Rules, Prediction, and Estimation", equation 21 for the CRPS.
The error alone does not tell a sure prediction from an unsure one; these do.
"""

import math

import torch
from torch import Tensor

#: Fractions of the probability whose intervals are looked at for calibration.
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def normal_nll(y: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """-log N(y; mean, variance) in nats, elementwise."""
    return ((y - mean).square() / variance + variance.log() + math.log(2 * math.pi)) / 2


def normal_crps(y: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """The continuous ranked probability score, elementwise, in the units of y; the absolute error where variance is 0.

    It is the integral of (F(t) - [t >= y])^2 over t, F the normal distribution function.
    """
    std = variance.sqrt()
    z = (y - mean) / std
    density = (-(z.square()) / 2).exp() / math.sqrt(2 * math.pi)
    return std * (z * (2 * normal_cdf(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))


def normal_cdf(z: Tensor) -> Tensor:
    """The standard normal distribution function, elementwise."""
    return torch.special.ndtr(z)


def inside(y: Tensor, mean: Tensor, variance: Tensor, level: float) -> Tensor:
    """Whether y is in the central interval of probability ``level``, elementwise."""
    half = math.sqrt(2) * torch.erfinv(torch.tensor(level, dtype=torch.float64)).item()
    return (y - mean).abs() <= half * variance.sqrt()


def calibration_error(fractions: Tensor) -> Tensor:
    """The mean distance of the fractions inside the intervals of ``LEVELS`` from these levels; 0 is calibrated."""
    return (fractions - torch.tensor(LEVELS, dtype=fractions.dtype, device=fractions.device)).abs().mean()
