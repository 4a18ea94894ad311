"""How well generated points match given ones: the energy distance, the moments, the modes that are covered.

- ``energy_distance``: Székely and Rizzo 2013: 0 if and only if the two distributions are the same.
- ``modes_covered``: Srivastava et al. 2017 (VEEGAN), section 4: a sample is good within three standard deviations of
  its nearest mode, and a mode is covered if it is the nearest one of a good sample.
"""

import torch
from torch import Tensor


def in_double(x: Tensor) -> Tensor:
    """x in double precision, on the CPU if its device has none (Apple's MPS)."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """2 E|x - y| - E|x - x'| - E|y - y'| of two sets of rows (N, D) and (M, D); never negative."""
    x, y = in_double(x), in_double(y)
    return (2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()).clamp_min(0)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and unbiased covariance (D, D) of rows (N, D), in double precision."""
    x = in_double(x)
    return x.mean(0), torch.cov(x.T).reshape(x.shape[1], x.shape[1])


def modes_covered(x: Tensor, modes: Tensor, std: float) -> tuple[Tensor, Tensor]:
    """The number of modes (K, D) that points (N, D) cover, and the fraction of good points.

    Args:
        x: The points.
        modes: The centers.
        std: Standard deviation of the data around each center.
    """
    distance, nearest = torch.cdist(x, modes).min(1)
    good = distance <= 3 * std
    covered = torch.zeros(len(modes), device=x.device).index_fill(0, nearest[good], 1).sum()
    return covered, good.float().mean()
