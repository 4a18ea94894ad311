"""Text infilling: how much is hidden, and that the rest stands as it stood."""

import random
from itertools import pairwise

from datamodules.parallel_text.infilling import infill, poisson

MASK = 3


def test_about_a_third_is_hidden_and_the_rest_is_in_order() -> None:
    draw, text = random.Random(0), list(range(10, 60))
    hidden = masks = 0
    for _ in range(300):
        found = infill(text, MASK, draw)
        rest = [token for token in found if token != MASK]
        assert rest == sorted(rest) and MASK in found
        assert all(not (a == b == MASK) for a, b in pairwise(found))  # one mask for each span
        hidden, masks = hidden + len(text) - len(rest), masks + found.count(MASK)
    assert 0.33 < hidden / (300 * len(text)) <= 0.36
    assert hidden / masks > 2  # spans, not single tokens


def test_short_texts_and_seeds() -> None:
    assert infill([], MASK, random.Random(0)) == []
    assert all(MASK in infill([7], MASK, random.Random(seed)) for seed in range(20))
    assert infill(list(range(9)), MASK, random.Random(4)) == infill(list(range(9)), MASK, random.Random(4))


def test_the_poisson_numbers_have_their_mean_and_variance() -> None:
    draw = random.Random(0)
    found = [poisson(3.0, draw) for _ in range(20_000)]
    mean = sum(found) / len(found)
    variance = sum((x - mean) ** 2 for x in found) / len(found)
    assert abs(mean - 3) < 0.06 and abs(variance - 3) < 0.15
