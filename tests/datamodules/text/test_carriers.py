"""Statements around CLDR's names."""

from random import Random

from datamodules.text.carriers import KINDS, SENTENCES, facts, invented_name, names


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


def test_invented_names_are_no_names_and_leave_other_draws_as_they_are() -> None:
    known = {name for kind in KINDS for name in names("en", kind, "train")}
    draw = Random(0)
    found = [invented_name(draw, "en", "train") for _ in range(50)]
    assert sum(name not in known for name in found) > 40
    made = [fact.name for _ in range(50) for fact in facts(draw, "en", "train", 2, 2, invented=1.0)]
    assert sum(name not in known for name in made) > 80
    assert facts(Random(1), "en", "train") == facts(Random(1), "en", "train", invented=0.0)
