"""The n-gram baseline against the same rule written out over dictionaries."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from datamodules.text.ngram import ngram_loss


def by_hand(train: list[int], test: list[int], vocabulary: int, order: int) -> float:
    counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for n in range(order):
        for i in range(n, len(train)):
            counts[tuple(train[i - n : i])][train[i]] += 1
    total = 0.0
    for i in range(1, len(test)):
        p = 1 / vocabulary
        for n in range(min(order, i + 1)):
            after = counts.get(tuple(test[i - n : i]))
            if after:
                p = (after[test[i]] + len(after) * p) / (sum(after.values()) + len(after))
        total -= math.log(p)
    return total / (len(test) - 1)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_equals_the_rule_written_out(order: int) -> None:
    draw = np.random.default_rng(0)
    train, test = draw.integers(0, 6, 300), draw.integers(0, 7, 80)  # 6 is never met in training
    assert ngram_loss(train, test, 8, order) == pytest.approx(by_hand(list(train), list(test), 8, order), rel=1e-12)


def test_longer_contexts_help_where_there_is_order() -> None:
    text = np.arange(2000) % 7
    losses = [ngram_loss(text, text[:100], 7, order) for order in (1, 2, 3)]
    assert losses[0] == pytest.approx(math.log(7), rel=0.01) and losses[1] < 0.01 and losses[2] < losses[1]
