"""Scores of translations: sacreBLEU's, their intervals, and what tone marks do to them."""

import unicodedata

import numpy as np
import pytest
from sacrebleu.metrics.chrf import CHRF

from lit_models.functional.translation_scores import (
    corpus_score,
    half_of_gain,
    has_marks,
    mark_error_rate,
    paired_bootstrap,
    without_marks,
)

REFERENCES = [
    f"sentence {k} of a text about {'rain' if k % 3 else 'the sun and wind'} in {1900 + k}" for k in range(40)
]
ERRORS = [text.replace("text", "book") for text in REFERENCES]
FEWER = [text if k % 2 else text.replace("text", "book") for k, text in enumerate(REFERENCES)]


def test_a_perfect_translation_in_the_other_form_of_unicode_is_perfect() -> None:
    reference = ["Ẹ̀kọ́ ni ọ̀nà sí ìyè", "Àwọn ọmọ ń ṣeré"]
    other = [unicodedata.normalize("NFD", text) for text in reference]
    for name in ("bleu", "chrf"):
        assert corpus_score(name, other, reference).value == pytest.approx(100)
    assert CHRF(word_order=2).corpus_score(other, [[unicodedata.normalize("NFC", t) for t in reference]]).score < 60


def test_the_signature_names_what_was_counted() -> None:
    assert "nw:2" in corpus_score("chrf", ERRORS, REFERENCES).signature
    assert "tok:13a" in corpus_score("bleu", ERRORS, REFERENCES).signature
    assert "bs:100" in corpus_score("bleu", FEWER, REFERENCES, samples=100).signature


def test_an_interval_is_wide_for_few_sentences_and_absent_without_samples() -> None:
    few = corpus_score("chrf", FEWER[:6], REFERENCES[:6], samples=200)
    many = corpus_score("chrf", FEWER, REFERENCES, samples=200)
    assert few.interval > many.interval > 0 == corpus_score("chrf", FEWER, REFERENCES).interval
    assert "±" in str(many) and "±" not in str(corpus_score("chrf", FEWER, REFERENCES))


@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_a_difference_on_many_sentences_is_significant_and_none_is_not(name: str) -> None:
    first, second, half, p = paired_bootstrap(name, ERRORS, FEWER, REFERENCES, samples=200)
    assert first.value == pytest.approx(corpus_score(name, ERRORS, REFERENCES).value)
    assert second.value - half > first.value and p < 0.05
    same = paired_bootstrap(name, ERRORS, list(ERRORS), REFERENCES, samples=200)
    assert same.p > 0.3 and same.half == 0


@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_the_interval_of_a_difference_is_that_of_sets_of_sentences_scored_one_by_one(name: str) -> None:
    rows = np.random.default_rng(0).integers(40, size=(30, 40))
    found = []
    for row in rows:
        first, second, references = ([side[k] for k in row] for side in (ERRORS, FEWER, REFERENCES))
        found.append(corpus_score(name, second, references).value - corpus_score(name, first, references).value)
    low, high = np.quantile(found, (0.025, 0.975))
    assert half_of_gain(name, ERRORS, FEWER, REFERENCES, 30) == pytest.approx((high - low) / 2)


def test_marks_are_taken_off_and_other_signs_stay() -> None:
    assert without_marks("Ẹ̀kọ́ ɗaya, ẹ́") == "Eko ɗaya, e"
    assert has_marks(["a", "é"]) and not has_marks(["ɗaya", "abc"])


def test_wrong_marks_are_counted_among_words_that_are_right_without_them() -> None:
    assert mark_error_rate(["Èkó wà níbí"], ["Èkó wá níbí"]) == pytest.approx(1 / 3)
    assert mark_error_rate(["Èkó titun"], ["Èkó"]) == 0.0 and mark_error_rate(["x"], ["y"]) == 0.0
