"""What a scheduler sees of a study, and what it answers: the same for live trials and for replayed tables.

A scheduler is a pure function. It gets the trials so far and names the next job, or nothing while it waits for others;
it keeps no memory of its own, so that any process can take a decision, and a killed one loses none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One trial.

    Args:
        number: Its number; trials are begun in this order.
        values: The metric after each epoch, the lower the better.
        target: The epoch that it was last told to train to.
        busy: Whether a process trains it now.
        ended: Whether it never continues: it failed, or was stopped for good.
    """

    number: int
    values: tuple[float, ...] = ()
    target: int = 0
    busy: bool = False
    ended: bool = False

    def at(self, epoch: int) -> float | None:
        """The value at an epoch; infinite for a trial that failed before, None for one that is still to get there."""
        if len(self.values) >= epoch:
            value = self.values[epoch - 1]
            return math.inf if math.isnan(value) else value
        return math.inf if self.ended else None


@dataclass(frozen=True)
class Job:
    """Train a trial to an epoch; ``number`` is that of a new trial where none has it yet."""

    number: int
    until: int


def rungs(low: int, high: int, eta: int) -> list[int]:
    """The epochs at which trials are compared: low, low eta, low eta^2, ... and ``high``, the whole training.

    Raises:
        ValueError: Not 1 <= low <= high, or eta below 2.
    """
    if not 1 <= low <= high or eta < 2:
        raise ValueError(f"rungs need 1 <= min_epochs <= max_epochs and eta >= 2, not {low}, {high} and {eta}")
    found = []
    while low < high:
        found.append(low)
        low *= eta
    return [*found, high]


def best(values: dict[int, float], count: int) -> list[int]:
    """The ``count`` trials with the lowest values, the best first; of equal ones the earlier trial."""
    return sorted(values, key=lambda number: (values[number], number))[:count]


def unfinished(trials: Sequence[Progress]) -> Job | None:
    """A job that was begun and whose process is gone: its values are missing, and nobody trains it."""
    for trial in trials:
        if not trial.busy and not trial.ended and len(trial.values) < trial.target:
            return Job(trial.number, trial.target)
    return None
