"""How wrong a transcript is: edit distance with its alignment, error rates, and their bootstrap interval.

Levenshtein 1966; Wagner and Fischer 1974. The error rate of a test set is the number of insertions, deletions and
substitutions over the number of true labels of the whole set, not the mean over texts. The interval resamples whole
texts (Bisani and Ney 2004), since the errors of one text are not independent. ``dive verify rnn/edit_distance``
compares with jiwer.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Pair = tuple[Any, Any]  # a true label and the one that was heard; None where one is missing


def alignment(true: Sequence[Any], heard: Sequence[Any]) -> list[Pair]:
    """The pairs of a shortest sequence of edits.

    (1, 1) is right, (1, 2) substituted, (1, None) deleted, (None, 2) inserted.
    """
    cost = np.zeros((len(true) + 1, len(heard) + 1), dtype=int)
    cost[:, 0], cost[0] = np.arange(len(true) + 1), np.arange(len(heard) + 1)
    for i, a in enumerate(true, 1):
        for j, b in enumerate(heard, 1):
            cost[i, j] = min(cost[i - 1, j - 1] + (a != b), cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    pairs: list[Pair] = []
    i, j = len(true), len(heard)
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + (true[i - 1] != heard[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((true[i], heard[j]))
        elif i and cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
            pairs.append((true[i], None))
        else:
            j -= 1
            pairs.append((None, heard[j]))
    return pairs[::-1]


def edits(true: Sequence[Any], heard: Sequence[Any]) -> int:
    """The edit distance: the least number of insertions, deletions and substitutions."""
    return sum(a != b for a, b in alignment(true, heard))


def error_rate(errors: Sequence[int], sizes: Sequence[int]) -> float:
    """Edits over true labels of a set of texts; the number of edits where no text has a label."""
    return sum(errors) / max(1, sum(sizes))


def error_interval(
    errors: Sequence[int], sizes: Sequence[int], samples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles of the error rate over resampled texts."""
    draws = np.random.default_rng(seed).integers(len(errors), size=(samples, len(errors)))
    rates = np.asarray(errors)[draws].sum(1) / np.maximum(1, np.asarray(sizes)[draws].sum(1))
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)
