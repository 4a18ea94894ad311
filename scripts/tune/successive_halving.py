"""Successive halving: train all a little, keep the best of each eta, train those eta times as long. D2L 19.4.

Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter optimization".
Synchronous: a rung is decided when the last of its trials is there, so one straggler holds up all workers. Departs from
the book, which trains a promoted configuration from scratch; here it continues from its checkpoint.
"""

import itertools
from collections.abc import Sequence

from scripts.tune.progress import Job, Progress, best, rungs, unfinished


def sizes(count: int, levels: int, eta: int) -> list[int]:
    """How many trials each rung has: ``count``, and of each rung one eta-th, rounded down, at least one."""
    found = [count]
    while len(found) < levels:
        found.append(max(found[-1] // eta, 1))
    return found


def bracket_job(trials: Sequence[Progress], first: int, counts: Sequence[int], epochs: Sequence[int]) -> Job | None:
    """The next job of one bracket, the trials ``first`` to ``first + counts[0] - 1``; None while it waits, or is done.

    Args:
        trials: All trials so far, by number.
        first: The number of the bracket's first trial.
        counts: Trials of each rung.
        epochs: The epoch of each rung.
    """
    own = [trial for trial in trials if first <= trial.number < first + counts[0]]
    if job := unfinished(own):
        return job
    if len(own) < counts[0]:
        return Job(first + len(own), epochs[0])
    members = {trial.number: trial for trial in own}
    for k, (here, there) in enumerate(itertools.pairwise(epochs)):
        values = {number: trial.at(here) for number, trial in members.items()}
        if any(value is None for value in values.values()):
            return None  # a straggler
        chosen = best({number: value for number, value in values.items() if value is not None}, counts[k + 1])
        members = {number: members[number] for number in chosen}
        for number, trial in members.items():
            if trial.target < there and not trial.ended:
                return Job(number, there)
    return None


def next_job(
    trials: Sequence[Progress], count: int, min_epochs: int, max_epochs: int, eta: int, round_size: int = 0
) -> Job | None:
    """The next job of rounds of successive halving; None while all of them wait, or are done.

    A round has ``round_size`` trials, by default as many as leave one for the last rung. The next one begins when
    nothing else is to be done, the last one may be smaller.

    Args:
        trials: All trials so far, by number.
        count: How many trials the study has.
        min_epochs, max_epochs, eta: See ``rungs``.
        round_size: Trials of a round.
    """
    epochs = rungs(min_epochs, max_epochs, eta)
    size = round_size or eta ** (len(epochs) - 1)
    for first in range(0, count, size):
        counts = sizes(min(size, count - first), len(epochs), eta)
        job = bracket_job(trials, first, counts, epochs)
        if job or not is_done(trials, first, counts, epochs):
            return job
    return None


def is_done(trials: Sequence[Progress], first: int, counts: Sequence[int], epochs: Sequence[int]) -> bool:
    """Whether no trial of a bracket is at work or to come; asked when the bracket has no job to give."""
    own = [trial for trial in trials if first <= trial.number < first + counts[0]]
    return len(own) == counts[0] and not any(trial.busy for trial in own)
