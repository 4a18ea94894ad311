"""BLEU, the book's and sacreBLEU's."""

import math

import pytest

from lit_models.functional.bleu import book_bleu, corpus_bleu


def test_the_books_example() -> None:
    """D2L 10.7.6: label A B C D E F, output A B B C D: p_1 = 4/5, p_2 = 3/4, p_3 = 1/3, p_4 = 0."""
    brevity = math.exp(1 - 6 / 5)
    expected = brevity * (4 / 5) ** 0.5 * (3 / 4) ** 0.25
    assert abs(book_bleu("A B B C D", "A B C D E F", 2) - expected) < 1e-12
    assert abs(book_bleu("A B B C D", "A B C D E F", 3) - expected * (1 / 3) ** 0.125) < 1e-12
    assert book_bleu("A B B C D", "A B C D E F", 4) == 0


@pytest.mark.parametrize(("output", "label", "score"), [("va !", "va !", 1.0), ("", "va !", 0.0), ("a", "b", 0.0)])
def test_right_and_wrong_outputs(output: str, label: str, score: float) -> None:
    assert book_bleu(output, label, 2) == score


def test_a_word_that_is_repeated_counts_once() -> None:
    assert book_bleu("the the the", "the cat sat", 1) == pytest.approx((1 / 3) ** 0.5)


def test_a_longer_output_has_no_brevity_penalty_and_no_reward() -> None:
    assert book_bleu("the cat sat down", "the cat", 1) == pytest.approx((2 / 4) ** 0.5)


def test_corpus_bleu_names_its_signature() -> None:
    score, signature = corpus_bleu(["the cat sat on the mat"], ["the cat sat on the mat"])
    assert score == pytest.approx(100) and "tok:13a" in signature and "version:" in signature
