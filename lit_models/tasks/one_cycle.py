"""The one-cycle schedule: the rate rises in a line for a share of the run, then falls along a cosine to zero.

Smith and Topin 2017, "Super-Convergence"; D2L 12.11 has warm-up and cosine apart. Departs from the paper: the momentum
stays, as it does in most recipes today.
"""

import math

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class OneCycle(LRScheduler):
    """Moves each group's rate through one cycle whose peak is the optimiser's own rate. Use ``lr_interval: step``.

    Args:
        optimizer: Whose rates are moved.
        total_steps: Length in optimiser steps; 0 means the whole run, which ``Task`` fills in: the same recipe then
            fits data of any size and any number of epochs.
        warmup: Share of the run in which the rate rises.
        start: The first rate as a share of the peak.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int = 0, warmup: float = 0.25, start: float = 0.04) -> None:
        if not 0 <= warmup < 1:
            raise ValueError(f"warmup is {warmup}: give a share of the run, at least 0 and less than 1")
        self.total_steps, self.warmup, self.start = total_steps, warmup, start
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """What the peak is multiplied by in a step, counted from 0; zero after the end."""
        rise = self.warmup * self.total_steps
        if step < rise:
            return self.start + (1 - self.start) * step / rise
        if self.total_steps == 0:  # not known yet: the first rate
            return self.start if self.warmup else 1.0
        done = min(1.0, (step - rise) / (self.total_steps - rise))
        return (1 + math.cos(math.pi * done)) / 2

    def get_lr(self) -> list[float | Tensor]:
        return [base * self.factor(self.last_epoch) for base in self.base_lrs]
