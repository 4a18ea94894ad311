"""A density with two modes, as weights on a grid: integrals over it are sums over rows."""

import math

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule


class TwoModes(TensorDataModule):
    """p = (N(-distance / 2, 1) + N(distance / 2, 1)) / 2 with deviations ``std``, on a grid. A batch is x (B, 1) and
    log(p(x) spacing) (B,). All splits are the whole grid: there is nothing to generalize to.

    Args:
        distance: Between the modes.
        std: Deviation of each mode.
        num_points: Points of the grid, which reaches six deviations beyond the modes.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: A deviation that is not above 0.
    """

    def __init__(self, distance: float = 4.0, std: float = 0.6, num_points: int = 400, **loader: int) -> None:
        super().__init__(**loader)
        if not std > 0:
            raise UserError(f"data.std is {std}: a standard deviation is above 0")
        self.distance, self.std, self.num_points = distance, std, num_points
        self.reach = distance / 2 + 6 * std
        self.spacing = 2 * self.reach / (num_points - 1)  # from one point of the grid to the next

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        x = torch.linspace(-self.reach, self.reach, self.num_points, dtype=torch.float64)
        modes = torch.stack([x - self.distance / 2, x + self.distance / 2]) / self.std
        log_p = torch.logsumexp(-modes.square() / 2, 0) - math.log(2 * self.std * math.sqrt(2 * math.pi))
        rows = (x.float()[:, None], (log_p + math.log(self.spacing)).float())
        return dict.fromkeys(("train", "val", "test"), rows) | {"predict": rows[:1]}
