"""Unigram: Viterbi and sums against all ways to cut, EM raises the likelihood, pruning keeps the characters."""

import math
from itertools import product

import pytest

from lit_models.embeddings.unigram import Unigram, log_sum

SCORES = [("<unk>", 0.0), ("a", -2.0), ("b", -1.5), ("ab", -2.5), ("ba", -3.0), ("aba", -4.0)]


def cuts(word: str) -> list[tuple[list[str], float]]:
    """Every way to cut a word into known pieces, with its score."""
    score = dict(SCORES[1:])
    found = []
    for breaks in product((0, 1), repeat=len(word) - 1):
        pieces = [word[0]]
        for c, cut in zip(word[1:], breaks, strict=True):
            pieces = [*pieces, c] if cut else [*pieces[:-1], pieces[-1] + c]
        if all(p in score for p in pieces):
            found.append((pieces, sum(score[p] for p in pieces)))
    return found


@pytest.mark.parametrize("word", ["a", "abab", "babab", "abaabb"])
def test_best_cut_and_likelihood_are_those_of_all_ways(word: str) -> None:
    model = Unigram(SCORES)
    assert sum(dict(SCORES)[p] for p in model.encode_word(word)) == pytest.approx(max(s for _, s in cuts(word)))
    assert model.log_likelihood(word) == pytest.approx(log_sum([s for _, s in cuts(word)]))


def test_expected_counts_are_means_over_all_ways() -> None:
    counts = Unigram(SCORES).expected_counts({"abab": 2})
    ways = cuts("abab")
    total = log_sum([s for _, s in ways])
    for piece in ("a", "b", "ab", "ba", "aba"):
        assert counts[piece] == pytest.approx(sum(2 * math.exp(s - total) * p.count(piece) for p, s in ways))


def test_unknown_characters_side_by_side_are_one_piece() -> None:
    assert Unigram(SCORES).encode_word("a日本b") == ["a", "日本", "b"]


WORDS = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5, "hugging": 3}


def test_training_reaches_the_size_and_keeps_all_characters() -> None:
    model = Unigram.train(WORDS, 14)
    pieces = [piece for piece, _ in model.scores]
    assert len(pieces) <= 14 and {c for word in WORDS for c in word} <= set(pieces) and pieces[0] == "<unk>"
    assert sum(math.exp(s) for _, s in model.scores[1:]) == pytest.approx(1)
    assert all("".join(model.encode_word(word)) == word for word in WORDS)


def test_more_rounds_do_not_lower_the_likelihood() -> None:
    def likelihood(rounds: int) -> float:
        model = Unigram.train(WORDS, 60, rounds=rounds)
        return sum(n * model.log_likelihood(word) for word, n in WORDS.items())

    found = [likelihood(rounds) for rounds in (1, 2, 4)]
    assert found[0] <= found[1] + 1e-9 and found[1] <= found[2] + 1e-9
