"""Planted facts as sentences to choose from."""

import pytest

from common.messages import UserError
from datamodules.summaries.planted_extracts import PlantedExtracts, summary
from datamodules.summaries.records import Fact, Record, statement


def test_a_summary_has_some_sentences_of_its_document() -> None:
    parts = PlantedExtracts(train_size=9, val_size=9, test_size=18).read("fit")
    assert {name: len(found) for name, found in parts.items()} == {"train": 9, "val": 9, "test": 18}
    for document in parts["test"]:
        (text,) = document.summaries
        kept = [sentence for sentence in document.sentences if sentence in text]
        assert " ".join(kept) == text and 2 <= len(kept) < len(document.sentences)


def test_a_summary_says_the_countries_and_the_day_only() -> None:
    facts = tuple(Fact(kind, "X") for kind in ("currency", "country", "language", "day"))
    text = summary(Record("en", facts, 0, "?"))
    assert text == " ".join(statement("en", fact) for fact in (facts[1], facts[3]))


def test_an_unknown_language_is_one_line() -> None:
    with pytest.raises(UserError, match=r"data.languages has no 'fr'"):
        PlantedExtracts(languages=("fr",))
