"""A search over a table of learning curves in simulated time: the schedulers' own decisions, nothing is trained.

Several workers take jobs; an epoch takes the seconds that the table has for it. What a scheduler sees and answers is
what it sees and answers in ``dive tune`` (``scripts/tune/progress.py``). D2L 19.3 to 19.5 do this with real training.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scripts.tune.progress import Progress
from scripts.tune.schedulers import Scheduler

#: (rows and curves so far, in the order of the trials) -> the row of the next trial, one that was not taken.
Choice = Callable[[Sequence[tuple[int, tuple[float, ...]]]], int]


@dataclass(frozen=True)
class Event:
    """An epoch that has ended: when, the epochs of all workers so far, the trial's row, its epoch and its value."""

    time: float
    spent: int
    row: int
    epoch: int
    value: float


def simulate(
    scheduler: Scheduler,
    choose: Choice,
    curves: Sequence[Sequence[float]],
    seconds: Sequence[float],
    workers: int,
    until: float = math.inf,
    count: int | None = None,
) -> list[Event]:
    """The epochs of a search in the order of time.

    Args:
        scheduler: What decides.
        choose: Chooses the row of a new trial.
        curves: By row, the value after each epoch, the lower the better.
        seconds: By row, the time of an epoch.
        workers: Trials at a time.
        until: The search ends at this time.
        count: Trials at most; by default as many as the table has rows.
    """
    count = len(curves) if count is None else count
    rows: list[int] = []
    state: list[Progress] = []
    queue: list[tuple[float, int, int]] = []  # (end of the epoch, order of entry, trial)
    events: list[Event] = []
    now, entered, idle = 0.0, 0, workers
    while True:
        while idle:
            job = scheduler.next_job(state, count)
            if job is None:
                break
            if job.number == len(state):
                rows.append(choose([(row, trial.values) for row, trial in zip(rows, state, strict=True)]))
                state.append(Progress(job.number))
            state[job.number] = Progress(job.number, state[job.number].values, job.until, True)
            heapq.heappush(queue, (now + seconds[rows[job.number]], entered, job.number))
            entered, idle = entered + 1, idle - 1
        if not queue or queue[0][0] > until:
            return events
        now, _, number = heapq.heappop(queue)
        row, trial = rows[number], state[number]
        epoch = len(trial.values) + 1
        trial = Progress(number, (*trial.values, curves[row][epoch - 1]), trial.target, True)
        state[number] = trial
        events.append(Event(now, len(events) + 1, row, epoch, trial.values[-1]))
        keeps = scheduler.keeps(trial, state, epoch)
        if keeps and epoch < trial.target:
            heapq.heappush(queue, (now + seconds[row], entered, number))
            entered += 1
            continue
        state[number] = Progress(number, trial.values, trial.target, False, not keeps)
        idle += 1
