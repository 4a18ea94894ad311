"""Hyperband: successive halving with several trade-offs between many trials and long ones. D2L 19.4.

Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar 2018, "Hyperband: a novel bandit-based approach to hyperparameter
optimization", algorithm 1. Bracket s begins with about (s_max + 1) / (s + 1) eta^s trials at R eta^-s epochs, so that
each bracket costs about the same. The paper's table of R = 81, eta = 3 has 81, 27, 9, 6 and 5 trials, its algorithm,
which rounds up after the multiplication, 81, 34, 15, 8 and 5: ``rounding`` selects one.
"""

import math
from collections.abc import Sequence
from typing import Literal

from scripts.tune.progress import Job, Progress
from scripts.tune.successive_halving import bracket_job


def brackets(
    max_epochs: int, eta: int, min_epochs: int = 1, rounding: Literal["table", "algorithm"] = "table"
) -> list[list[tuple[int, int]]]:
    """The (trials, epochs) of each rung of each bracket, the one with the most trials first.

    Args:
        max_epochs: R, the whole training.
        eta: One of so many trials survives a rung.
        min_epochs: Fewer are never trained; the paper's unit of R.
        rounding: Of the number of trials of a bracket.
    """
    levels = 0  # s_max: a logarithm of floats would miss exact powers
    while min_epochs * eta ** (levels + 1) <= max_epochs:
        levels += 1
    found = []
    for s in range(levels, -1, -1):
        if rounding == "table":
            begin = (levels + 1) // (s + 1) * eta**s
        else:
            begin = math.ceil((levels + 1) * eta**s / (s + 1))
        found.append([(begin // eta**i, max_epochs // eta ** (s - i)) for i in range(s + 1)])
    return found


def next_job(trials: Sequence[Progress], count: int, min_epochs: int, max_epochs: int, eta: int) -> Job | None:
    """The next job: the brackets one after the other, and again from the first; None while all wait, or are done.

    Workers that a waiting bracket has no job for begin the next one. The last bracket is cut off at ``count`` trials.

    Args:
        trials: All trials so far, by number.
        count: How many trials the study has.
        min_epochs, max_epochs, eta: See ``brackets``.
    """
    order, first, k = brackets(max_epochs, eta, min_epochs), 0, 0
    while first < count:
        bracket = order[k % len(order)]
        most = min(bracket[0][0], count - first)
        counts = [max(min(n, most // eta**i), 1) for i, (n, _) in enumerate(bracket)]
        epochs = [r for _, r in bracket]
        job = bracket_job(trials, first, counts, epochs)
        if job is not None:
            return job
        first, k = first + counts[0], k + 1
    return None
