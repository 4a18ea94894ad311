"""IBM model 1 finds which word stands for which, and agrees with plain loops."""

from collections import defaultdict

import numpy as np
import pytest

from datamodules.parallel_text.word_by_word import NONE, WordByWord

SOURCES = ["the house", "the book", "a book", "a house the book"]
TARGETS = ["das haus", "das buch", "ein buch", "ein haus das buch"]


def loops(iterations: int) -> dict[tuple[str, str], float]:
    """Expectation maximization as in the paper, one number after the other."""
    pairs = [(["", *s.split()], t.split()) for s, t in zip(SOURCES, TARGETS, strict=True)]
    words = {w for _, t in pairs for w in t}
    t = {(s, w): 1 / len(words) for row, other in pairs for s in row for w in other}
    for _ in range(iterations):
        counts: dict[tuple[str, str], float] = defaultdict(float)
        for row, other in pairs:
            for w in other:
                total = sum(t[s, w] for s in row)
                for s in row:
                    counts[s, w] += t[s, w] / total
        sums: dict[str, float] = defaultdict(float)
        for (s, _), value in counts.items():
            sums[s] += value
        t = {(s, w): value / sums[s] for (s, w), value in counts.items()}
    return t


@pytest.mark.parametrize("iterations", [1, 4])
def test_the_probabilities_are_those_of_plain_loops(iterations: int) -> None:
    model, expected = WordByWord(SOURCES, TARGETS, iterations, min_count=1), loops(iterations)
    names = {number: word for word, number in model.source_words.items()} | {NONE: ""}
    found = {
        (names[s], model.target_words[w]): p
        for s, w, p in zip(model.first.tolist(), model.second.tolist(), model.probability.tolist(), strict=True)
    }
    assert found.keys() == expected.keys()
    assert np.allclose([found[key] for key in expected], list(expected.values()))


def test_it_translates_word_by_word_and_copies_what_it_does_not_know() -> None:
    model = WordByWord(SOURCES, TARGETS, iterations=20, min_count=1)
    assert model.translate("a house 1984") == "ein haus 1984"


def test_nothing_to_learn_from_copies() -> None:
    assert WordByWord(["one"], ["eins"]).translate("one two") == "one two"
