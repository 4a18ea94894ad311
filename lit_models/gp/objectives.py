"""Two functions on which methods of optimization are compared: Branin (2 numbers) and Hartmann-6 (6 numbers).

Dixon and Szego 1978, "Towards Global Optimization 2". Both take points of the unit cube.
"""

import math

import torch
from torch import Tensor

BRANIN_MINIMUM, HARTMANN_MINIMUM = 0.397887, -3.32237

_A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
_P = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]


def branin(x: Tensor) -> Tensor:
    """(N, 2) in [0, 1] -> (N,); three places have the minimum 0.397887."""
    u, v = 15 * x[:, 0] - 5, 15 * x[:, 1]
    valley = v - 5.1 / (4 * math.pi**2) * u**2 + 5 / math.pi * u - 6
    return valley.square() + 10 * (1 - 1 / (8 * math.pi)) * u.cos() + 10


def hartmann6(x: Tensor) -> Tensor:
    """(N, 6) in [0, 1] -> (N,); the minimum is -3.32237, and there are five others."""
    a, p = torch.tensor(_A).to(x), torch.tensor(_P).to(x)
    weights = torch.tensor([1.0, 1.2, 3.0, 3.2]).to(x)
    return -(-(a * (x[:, None, :] - p).square()).sum(-1)).exp() @ weights
