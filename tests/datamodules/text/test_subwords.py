"""Sub-words of texts with a class."""

import random
import time
import unicodedata

from datamodules.text.subwords import PAD, UNKNOWN, Subwords

TEXTS = ["the walking man walked", "she is talking and he talked", "ẹlẹ́sẹ̀ ìjọba (12)!"] * 5


def test_frequent_parts_of_words_are_tokens_and_padding_and_unknown_come_first() -> None:
    made = Subwords.train(TEXTS, 120)
    assert made.tokens[:2] == [PAD, UNKNOWN] and "ing" in made.tokens and len(made.tokens) <= 120
    assert [made.tokens[i] for i in made.encode(["walked Q."])[0]][-2:] == [UNKNOWN, UNKNOWN]


def test_both_forms_of_unicode_and_both_cases_are_the_same_and_marks_stay() -> None:
    made = Subwords.train(TEXTS, 200)
    assert (
        made.encode([unicodedata.normalize("NFD", TEXTS[2])])
        == made.encode([TEXTS[2].upper()])
        == made.encode([TEXTS[2]])
    )
    assert "\u2581ẹlẹ́sẹ̀" in made.tokens


def test_it_is_made_again_from_plain_values() -> None:
    made = Subwords.train(TEXTS, 100)
    assert Subwords(made.saved()).encode(TEXTS) == made.encode(TEXTS) and isinstance(made.saved(), str)


def test_a_text_without_spaces_takes_no_quadratic_time() -> None:
    text = "".join(random.Random(0).choices("ACGT", k=160_000))
    began = time.process_time()
    Subwords.train([text], 100)
    assert time.process_time() - began < 4
