"""Learning rates over a run, written out: factors of the optimizer's own rate.

D2L 12.11; Goodfellow 8.3.1. ``Cosine``, ``WarmupCosine``, ``Noam`` and ``Sequential`` are in
``lit_models/tasks/schedules.py``. A schedule is a function of the step; ``Task`` moves it after each epoch, or after
each step with ``lr_interval: step`` (``OneCycle``, ``InverseSquareRoot`` and ``WarmupStableDecay`` always do).
Departs from the book: its helper that plots a schedule moves the very object that training uses, thirty epochs ahead,
so that its multi-factor run trains at a constant rate; and its own schedules are called after an epoch, so that the
first one has the optimizer's rate. Here a schedule is moved by the run only, and its first rate is ``factor(0)``.

    dive fit cnn/lenet -c schedule/cosine
    dive fit cnn/lenet --model.lr_scheduler MultiFactor --model.lr_scheduler.milestones [15,30]
"""

import math
from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer

from common.messages import UserError, note
from lit_models.tasks.schedules import Cosine


class Closed(Cosine):
    """A schedule whose factor does not depend on the length of the run.

    Args:
        optimizer: Whose rates are moved.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)
        self.of_run = False

    def set_length(self, total: int) -> None:
        """The run is as long as it is; a subclass may have something to say."""


class Factor(Closed):
    """max(floor, factor^step): the rate is multiplied after each step.

    Args:
        optimizer: Whose rates are moved.
        gamma: The factor.
        floor: The least factor of the optimizer's rate.

    Raises:
        UserError: ``gamma`` is not between 0 and 1.
    """

    def __init__(self, optimizer: Optimizer, gamma: float = 0.9, floor: float = 0.0) -> None:
        if not 0 < gamma <= 1:
            raise UserError(f"Factor: gamma is {gamma}: give a number above 0 and at most 1")
        self.gamma, self.floor = gamma, floor
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return max(self.floor, self.gamma**step)


class MultiFactor(Closed):
    """gamma^k after k milestones.

    Args:
        optimizer: Whose rates are moved.
        milestones: Steps or epochs after which the rate is multiplied.
        gamma: The factor.

    Raises:
        UserError: The milestones do not increase.
    """

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int] = (15, 30), gamma: float = 0.5) -> None:
        if list(milestones) != sorted(set(milestones)) or any(m < 1 for m in milestones):
            raise UserError(f"MultiFactor: milestones are {list(milestones)}: give increasing whole numbers from 1")
        self.milestones, self.gamma = list(milestones), gamma
        super().__init__(optimizer)

    def set_length(self, total: int) -> None:
        """Says which milestones the run does not reach."""
        if late := [m for m in self.milestones if m >= total]:
            note(f"the run is {total} long: the schedule's milestones {late} are not reached")

    def factor(self, step: int) -> float:
        return float(self.gamma ** sum(step >= m for m in self.milestones))


class SquareRoot(Closed):
    """1 / sqrt(1 + step).

    Args:
        optimizer: Whose rates are moved.
    """

    def factor(self, step: int) -> float:
        return (1 + step) ** -0.5


class Polynomial(Closed):
    """(1 + beta step)^-alpha: D2L 12.4.3 with alpha 0.5.

    Args:
        optimizer: Whose rates are moved.
        alpha: The power.
        beta: How fast it begins.
    """

    def __init__(self, optimizer: Optimizer, alpha: float = 0.5, beta: float = 0.1) -> None:
        self.alpha, self.beta = alpha, beta
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return float((1 + self.beta * step) ** -self.alpha)


class Cycles(Cosine):
    """A cosine from the optimizer's rate to zero, several times in a run (Huang et al. 2017, snapshot ensembles).

    Args:
        optimizer: Whose rates are moved.
        total: Length in steps or epochs; 0 means the whole run.
        cycles: How many times.

    Raises:
        UserError: There is no cycle.
    """

    def __init__(self, optimizer: Optimizer, total: int = 0, cycles: int = 5) -> None:
        if cycles < 1:
            raise UserError(f"Cycles: cycles is {cycles}: give a whole number of at least 1")
        self.cycles = cycles
        super().__init__(optimizer, total)

    def factor(self, step: int) -> float:
        if not self.total or step >= self.total:
            return 0.0 if self.total else 1.0
        done = step * self.cycles / self.total
        return (1 + math.cos(math.pi * (done - int(done)))) / 2


class InverseSquareRoot(Closed):
    """A rise on a line in ``warmup`` steps, then sqrt(warmup / step).

    Args:
        optimizer: Its rate is the highest one.
        warmup: Steps of the rise, at least 1.

    Raises:
        UserError: ``warmup`` is less than 1.
    """

    interval = "step"

    def __init__(self, optimizer: Optimizer, warmup: int = 100) -> None:
        if warmup < 1:
            raise UserError(f"InverseSquareRoot: warmup is {warmup}: give a number of steps, at least 1")
        self.warmup = warmup
        super().__init__(optimizer)

    def set_length(self, total: int) -> None:
        """Says that the run ends within the rise."""
        if self.warmup > total:
            note(f"the run is {total} steps long: the schedule's warm-up of {self.warmup} steps does not end")

    def factor(self, step: int) -> float:
        n = step + 1
        return min(n / self.warmup, math.sqrt(self.warmup / n))


class WarmupStableDecay(Cosine):
    """A rise on a line, the full rate, and a fall on a line to ``end`` (Hu et al. 2024, MiniCPM).

    Args:
        optimizer: Its rate is the full one.
        total: Length in steps; 0 means the whole run.
        warmup: Fraction of the length in which the rate rises.
        decay: Fraction of the length in which it falls.
        end: The last factor.

    Raises:
        UserError: The fractions are not between 0 and 1 together.
    """

    interval = "step"

    def __init__(
        self, optimizer: Optimizer, total: int = 0, warmup: float = 0.1, decay: float = 0.2, end: float = 0.0
    ) -> None:
        check_fractions("WarmupStableDecay", warmup, decay)
        self.warmup, self.decay, self.end = warmup, decay, end
        super().__init__(optimizer, total)

    def factor(self, step: int) -> float:
        rise, fall = self.warmup * self.total, self.decay * self.total
        if step < rise:
            return (step + 1) / (rise + 1)
        left = max(0.0, self.total - step)
        return self.end + (1 - self.end) * min(1.0, left / fall) if fall else 1.0


class OneCycle(Cosine):
    """A cosine up to the rate and a cosine down (Smith and Topin 2017), with torch's numbers.

    The momentum stays, where the paper moves it against the rate.

    Args:
        optimizer: Its rate is the highest one.
        total: Length in steps; 0 means the whole run.
        warmup: Fraction of the length in which the rate rises.
        start: The first factor.
        end: The last factor, of the first one.

    Raises:
        UserError: ``warmup`` is not a fraction.
    """

    interval = "step"

    def __init__(
        self, optimizer: Optimizer, total: int = 0, warmup: float = 0.3, start: float = 0.04, end: float = 1e-4
    ) -> None:
        check_fractions("OneCycle", warmup, 0.0)
        self.warmup, self.start, self.end = warmup, start, end
        super().__init__(optimizer, total)

    def factor(self, step: int) -> float:
        if self.total < 2:
            return self.start if self.total == 0 else 1.0
        top, last = self.warmup * self.total - 1, self.total - 1
        if step <= top:
            return between(self.start, 1.0, step / top if top > 0 else 1.0)
        return between(1.0, self.start * self.end, min(1.0, (step - top) / (last - top)))


def between(first: float, second: float, done: float) -> float:
    """From the first to the second along half a cosine, for done from 0 to 1."""
    return second + (first - second) * (1 + math.cos(math.pi * done)) / 2


def check_fractions(name: str, *fractions: Any) -> None:
    """Refuses fractions that are negative or together more than the whole.

    Raises:
        UserError: They are.
    """
    if any(f < 0 for f in fractions) or sum(fractions) > 1:
        raise UserError(f"{name}: warmup and decay are {fractions}: give fractions of the run, together at most 1")
