"""TextRank: likeness by the paper's formula, ranks as the eigenvector, choices in any script."""

import math

import numpy as np
import pytest
import torch

from lit_models.summarization.textrank import likeness, pagerank, textrank


def test_likeness_is_shared_words_by_the_logarithms_of_the_lengths() -> None:
    found = likeness(["a red fish swims", "The red fish", "one"])
    assert float(found[0, 1]) == pytest.approx(2 / (math.log(4) + math.log(3)))
    assert found[0, 0] == 0 and not found[2].any() and torch.equal(found, found.T)


@pytest.mark.parametrize("directed", [False, True])
def test_ranks_are_the_first_eigenvector_of_the_readers_walk(directed: bool) -> None:
    weights = torch.rand(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).fill_diagonal_(0)
    weights = weights if directed else weights + weights.T
    weights[4] = 0  # leads to every node
    ranks = pagerank(weights)
    rows = np.where(weights.numpy().sum(1, keepdims=True) > 0, weights.numpy(), 1.0)
    walk = 0.85 * (rows / rows.sum(1, keepdims=True)) + 0.15 / 6
    values, vectors = np.linalg.eig(walk.T)
    first = np.real(vectors[:, np.argmax(np.real(values))])
    np.testing.assert_allclose(ranks.numpy(), first / first.sum(), atol=1e-10)


def test_the_sentences_most_like_the_others_are_chosen_in_the_order_of_the_text() -> None:
    texts = [
        "Fish swim.",
        "The capital of Kenya is Nairobi.",
        "Kenya has a capital.",
        "Nairobi, the capital, is large.",
    ]
    assert textrank(texts, 2) == [1, 3] and textrank(texts, 9) == [0, 1, 2, 3] and textrank([], 2) == []
    amharic = ["ዓሣ ይዋኛል።", "የኬንያ ዋና ከተማ ናይሮቢ ናት።", "ናይሮቢ ዋና ከተማ ናት።"]
    assert textrank(amharic, 2) == [1, 2]
    assert textrank(["a", "b", "c"], 1) == [0]  # nothing is alike: the first
