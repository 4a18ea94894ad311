"""Statements around CLDR's names."""

from random import Random

from datamodules.text.carriers import KINDS, SENTENCES, facts, names


def test_thirteen_languages_have_a_statement_and_a_question_of_each_kind() -> None:
    assert len(SENTENCES) == 13
    for pairs in SENTENCES.values():
        assert len(pairs) == len(KINDS)
        assert all(said.count("{}") == 1 and "{" not in asked for said, asked in pairs)


def test_a_thing_of_the_test_is_named_in_training_in_no_language() -> None:
    for language in ("en", "yo", "am"):
        for kind in KINDS:
            assert not set(names(language, kind, "train")) & set(names(language, kind, "test"))
            assert len(names(language, kind, "test")) > 10


def test_a_statement_has_its_name_at_its_place() -> None:
    draw = Random(0)
    for language in SENTENCES:
        for fact in facts(draw, language, "train"):
            assert fact.text[fact.start : fact.start + len(fact.name)] == fact.name
