"""A frozen table of learning curves without ties, and a driver that records every decision of a scheduler."""

import numpy as np

from scripts.tune.progress import Progress
from scripts.tune.schedulers import Scheduler


def table(rows: int, epochs: int, seed: int = 0) -> list[list[float]]:
    """Curves that fall and cross, all values different: the ranks are those of a permutation."""
    rng = np.random.default_rng(seed)
    level, slope = rng.random((rows, 1)), rng.random((rows, 1))
    raw = level + slope / np.arange(1, epochs + 1) + 0.05 * rng.standard_normal((rows, epochs))
    order = raw.ravel().argsort().argsort()
    return (order.reshape(rows, epochs) / raw.size).tolist()


def decisions(scheduler: Scheduler, curves: list[list[float]], workers: int = 1) -> list[tuple[int, int]]:
    """The jobs (trial, until) of a scheduler in order. The oldest job of the workers always ends first."""
    state: list[Progress] = []
    at_work: list[tuple[int, int]] = []
    found = []
    while True:
        job = scheduler.next_job(state, len(curves)) if len(at_work) < workers else None
        if job is not None:
            if job.number == len(state):
                state.append(Progress(job.number))
            state[job.number] = Progress(job.number, state[job.number].values, job.until, True)
            at_work.append((job.number, job.until))
            found.append((job.number, job.until))
            continue
        if not at_work:
            return found
        number, until = at_work.pop(0)
        state[number] = Progress(number, tuple(curves[number][:until]), until, False)
