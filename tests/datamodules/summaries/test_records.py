"""Records, what is written of them, and facts that are read out of it by rule."""

from random import Random

import pytest

from datamodules.summaries.records import (
    LANGUAGES,
    MAIN,
    Fact,
    Record,
    by_kind,
    claims,
    count,
    document,
    draw_record,
    headline,
    headline_claims,
    rates,
    statements,
    table,
    tidy_names,
)

RECORD = Record(
    "sw", (Fact("currency", "yuro"), Fact("country", "Kenya"), Fact("day", "Jumatatu, 5 Machi 2018")), 2, "?"
)


def test_three_texts_of_a_record() -> None:
    assert document(RECORD) == ["Sarafu inaitwa yuro.", "Nchi inaitwa Kenya.", "?", "Siku ni Jumatatu, 5 Machi 2018."]
    assert headline(RECORD) == "Kenya; Jumatatu, 5 Machi 2018"
    assert table(RECORD) == "<sw> country: Kenya; currency: yuro; day: Jumatatu, 5 Machi 2018"


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_facts_are_read_out_of_a_text_without_errors(language: str) -> None:
    draw = Random(1)
    for part in ("train", "test") * 10:
        record = draw_record(draw, language, part)
        found = claims(" ".join(statements(record)), language)
        assert found == by_kind(record) and sorted(found) == sorted(record.facts)
        assert [claim for claim in claims(" ".join(document(record)), language) if not claim.kind]  # the question
        names = {fact.name for fact in record.facts if fact.kind in MAIN}
        assert {claim.name for claim in headline_claims(headline(record))} == names


def test_a_wrong_name_is_invented_and_one_said_twice_repeated() -> None:
    text = "Nchi inaitwa Kenya. Nchi inaitwa Kenya. Sarafu inaitwa dola. Habari gani"
    found = count(claims(text, "sw"), RECORD.facts, RECORD.facts)
    assert found._asdict() == {"wanted": 3, "covered": 1, "claims": 3, "invented": 1, "repeated": 1}
    assert rates([found]) == pytest.approx({"covered": 1 / 3, "invented": 1 / 3, "repeated": 1 / 3})
    assert rates([count([], RECORD.facts, RECORD.facts)]) == {"covered": 0.0, "invented": 0.0, "repeated": 0.0}


def test_no_country_of_the_test_is_in_training() -> None:
    for language in LANGUAGES:
        assert not set(tidy_names(language, "country", "train")) & set(tidy_names(language, "country", "test"))
