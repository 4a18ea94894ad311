"""Neighbors, analogies without the question's words, ranks, coverage."""

import pytest
import torch

from lit_models.functional.word_similarity import mean_ranks, nearest, solve_analogies, spearman, word_metrics


def test_nearest_leaves_out_the_query_and_knows_how_many_there_are() -> None:
    vectors = torch.tensor([[1.0, 0], [2, 0.1], [0, 1], [-1, 0]])
    places, cosines = nearest(vectors, vectors[0], [0])
    assert places.tolist() == [1, 2, 3] and cosines[-1] == -1


def test_words_of_the_question_are_no_answers_but_the_books_are() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.98, 0.2], [0.15, 0.98], [0.0, 1.0], [-1, 0]])
    question = torch.tensor([[0, 1, 2]])
    assert solve_analogies(vectors, question).tolist() == [3]
    assert solve_analogies(vectors, question, exclude=False).tolist() == [2]


@pytest.mark.parametrize("ties", [False, True])
def test_spearman_equals_scipys(ties: bool) -> None:
    from scipy.stats import spearmanr

    torch.manual_seed(1)
    x, y = torch.randn(50), torch.randn(50)
    if ties:
        x, y = (3 * x).round(), (2 * y).round()
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert mean_ranks(torch.tensor([5.0, 1, 5, 9])).tolist() == [1.5, 0, 1.5, 3]


def test_questions_with_unknown_words_are_left_out_and_counted() -> None:
    vectors = torch.eye(4)
    tests = {
        "similarity": {"pairs": [("a", "b", 1.0), ("a", "z", 2.0), ("c", "d", 0.0)]},
        "analogies": {"all": [("a", "b", "c", "d"), ("a", "b", "c", "z")]},
        "neighbors": {"near": [("a", ["b"]), ("z", ["a"])]},
    }
    found = word_metrics(vectors, list("abcd"), tests)
    assert found["pairs_coverage"] == pytest.approx(2 / 3)
    assert found["all_coverage"] == 0.5 == found["near_coverage"]
    assert {"all", "all_mul", "near", "pairs"} <= set(found)


def test_a_test_without_any_known_word_has_coverage_zero_and_no_score() -> None:
    found = word_metrics(torch.eye(2), ["a", "b"], {"analogies": {"x": [("p", "q", "r", "s")]}})
    assert found == {"x_coverage": 0.0}
