"""The schedulers by name, each as two decisions: the next job, and whether a trial continues after an epoch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from scripts.tune import asha, asha_stopping, hyperband, median_stopping, random_search, successive_halving
from scripts.tune.progress import Job, Progress

NAMES = ("none", "median", "halving", "hyperband", "asha", "asha_stop")


def always(trial: Progress, trials: Sequence[Progress], epoch: int) -> bool:
    """A scheduler that stops nothing."""
    return True


@dataclass(frozen=True)
class Scheduler:
    """The two decisions.

    Args:
        next_job: (trials so far, number of trials of the study) -> job, or None while nothing is to be done.
        keeps: (a trial, all trials, the epoch it has finished) -> whether it continues; if not, it ends for good.
    """

    next_job: Callable[[Sequence[Progress], int], Job | None]
    keeps: Callable[[Progress, Sequence[Progress], int], bool] = always


def make(name: str, min_epochs: int, max_epochs: int, eta: int) -> Scheduler:
    """The scheduler of a name.

    Args:
        name: One of ``NAMES``.
        min_epochs, max_epochs, eta: See ``rungs``.
    """
    budget: dict[str, Any] = {"min_epochs": min_epochs, "max_epochs": max_epochs, "eta": eta}
    whole = partial(random_search.next_job, max_epochs=max_epochs)
    match name:
        case "halving":
            return Scheduler(partial(successive_halving.next_job, **budget))
        case "hyperband":
            return Scheduler(partial(hyperband.next_job, **budget))
        case "asha":
            return Scheduler(partial(asha.next_job, **budget))
        case "asha_stop":
            return Scheduler(whole, partial(asha_stopping.decide, **budget))
        case "median":
            return Scheduler(whole, partial(median_stopping.decide, warmup=min_epochs))
        case _:
            return Scheduler(whole)
