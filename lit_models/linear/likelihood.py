"""Why the squared error: it is the likelihood of normal noise. And why vectors: a loop over numbers is slow.

Gauss 1809. D2L 3.1.2, 3.1.3.
Departs from the book: the likelihood is computed and compared with the squared error; the book only states it.
"""

import math

import torch
from torch import Tensor


def add_by_loop(a: Tensor, b: Tensor) -> Tensor:
    """a + b (N,), number by number: what each line of Python costs, N times."""
    total = torch.zeros_like(a)
    for i in range(len(a)):
        total[i] = a[i] + b[i]
    return total


def normal_density(x: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Density of N(mean, std^2) at x, of any shape."""
    return torch.exp(-((x - mean) ** 2) / (2 * std**2)) / math.sqrt(2 * math.pi * std**2)


def negative_log_likelihood(prediction: Tensor, y: Tensor, std: float = 1.0) -> Tensor:
    """Mean negative log-likelihood () in nats at y (N,) where y is the prediction (N,) and normal noise.

    It is the half squared error over std^2 and a constant: the same predictions minimize both, whatever std is.
    """
    return ((prediction - y) ** 2).mean() / (2 * std**2) + math.log(2 * math.pi * std**2) / 2
