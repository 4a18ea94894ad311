"""Tables of IBM model 1: probabilities on made-up sentences, and the lexicon that a network takes."""

import numpy as np
import pytest
import torch

from common import ibm_model_1 as module
from common.ibm_model_1 import ibm_model_1, lexicon

V = 12


def sentences(count: int = 300) -> tuple[torch.Tensor, ...]:
    """Each source token 4 to 7 is translated by its number plus 4, in reverse order; <eos> (2) ends both sides."""
    draw = np.random.default_rng(0)
    source, target = np.zeros((count, 6), int), np.zeros((count, 6), int)
    length = draw.integers(2, 6, count)
    for row, n in enumerate(length):
        words = draw.choice(4, n, replace=n > 4) + 4
        source[row, : n + 1], target[row, : n + 1] = [*words, 2], [*(words[::-1] + 4), 2]
    return tuple(torch.from_numpy(part) for part in (source, length + 1, target, target))


def test_probabilities_of_a_source_token_sum_to_one() -> None:
    first, second, probability = ibm_model_1([np.array([1, 2]), np.array([2])], [np.array([5, 6]), np.array([5])])
    assert first.tolist() == [1, 1, 2, 2] and second.tolist() == [5, 6, 5, 6]
    np.testing.assert_allclose(np.bincount(first, probability)[1:], 1)
    assert probability[2] > probability[0]  # the second sentence: 2 is 5, so that 1 is rather 6


def test_nothing_to_count() -> None:
    assert [len(part) for part in ibm_model_1([], [])] == [0, 0, 0]
    assert [len(part) for part in ibm_model_1([np.array([1])], [np.zeros(0, int)])] == [0, 0, 0]


def test_a_lexicon_has_the_translation_first() -> None:
    ids, probability = lexicon(sentences(), V, 3, shared=False)
    assert ids[4:8, 0].tolist() == [8, 9, 10, 11] and float(probability[4:8, 0].min()) > 0.5
    assert bool((probability.sum(1) < 1 + 1e-6).all()) and bool((probability.diff(dim=1) <= 0).all())
    assert not probability[8:].any()  # no source has them


def test_what_was_not_learned_stands_for_itself_in_one_vocabulary() -> None:
    ids, probability = lexicon(sentences(), V, 3)
    assert ids[8:, 0].tolist() == [8, 9, 10, 11] and probability[8:, 0].tolist() == [1, 1, 1, 1]
    assert ids[4:8, 0].tolist() == [8, 9, 10, 11]


def test_of_many_pairs_all_parts_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pairs of a second language, which stand behind those of the first."""
    first = sentences()
    second = [torch.where(part > 2, part + 8, part) for part in (first[0], first[2])]
    rows = tuple(torch.cat(both) for both in zip(first, (second[0], first[1], second[1], second[1]), strict=True))
    monkeypatch.setattr(module, "MOST_MEETINGS", 3000)  # of some 12,000
    ids, _ = lexicon(rows, V + 8, 1, shared=False)
    assert ids[4:8, 0].tolist() == [8, 9, 10, 11] and ids[12:16, 0].tolist() == [16, 17, 18, 19]
