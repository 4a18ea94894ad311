"""SQuAD's scores, against the official script as torchmetrics has it."""

import random

import pytest
from torchmetrics.functional.text import squad

from lit_models.functional.squad_scores import answer_scores, normalized, word_f1


def test_articles_punctuation_and_case_do_not_count() -> None:
    assert normalized("The  U.S., an Answer!") == "us answer"
    assert answer_scores("the Nairobi.", ["nairobi"]) == (1.0, 1.0)


def test_no_answer_is_right_only_where_there_is_none() -> None:
    assert answer_scores("", []) == (1.0, 1.0) == answer_scores("", ["the"])
    assert answer_scores("", ["x"]) == (0.0, 0.0) == answer_scores("x", [])


def test_words_count_with_repetition_and_the_best_of_several_answers_counts() -> None:
    assert word_f1("b b c", "b c d") == pytest.approx(2 / 3)
    assert answer_scores("b c", ["x", "b d"]) == (0.0, 0.5)


def test_random_answers_have_torchmetrics_scores() -> None:
    draw = random.Random(0)
    words = ["the", "An", "a", "Kenya", "kenya,", "Èkó", "b"]
    for _ in range(300):
        found, *right = [" ".join([*draw.choices(words, k=draw.randint(0, 4)), "z"]) for _ in range(3)]
        gold = {"answers": {"answer_start": [0, 0], "text": right}, "id": "q"}
        expected = squad([{"prediction_text": found, "id": "q"}], [gold])
        scores = answer_scores(found, right)
        assert [100 * score for score in scores] == pytest.approx(
            [float(expected["exact_match"]), float(expected["f1"])]
        )
