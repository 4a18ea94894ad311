"""CLDR's names: each in one language only, split by the thing that is named."""

import pytest
from babel import Locale

from common.messages import UserError
from datamodules.text.cldr_names import LANGUAGES, CLDRNames, is_latin, read_names


def test_no_name_is_in_two_languages_and_half_of_the_languages_are_african() -> None:
    names = [name for name, _, _ in read_names()]
    assert len(names) == len(set(names)) > 6000
    assert "angola" not in names and "deutschland" in names and "ujerumani" in names
    assert len(LANGUAGES) == 14 and list(LANGUAGES)[:7] == ["af", "ha", "ig", "so", "sw", "yo", "zu"]


def test_what_is_named_is_in_one_split_alone() -> None:
    data = CLDRNames()
    texts = {split: set(lines) for split, (lines, _) in data.read("fit").items()}
    kenya = {Locale.parse(code).territories["KE"].lower() for code in LANGUAGES}
    splits = [split for split, lines in texts.items() if kenya & lines]
    assert len(splits) == 1
    things = {name: thing for name, thing, _ in read_names()}
    seen = {split: {things[name] for name in lines} for split, lines in texts.items()}
    assert not seen["train"] & seen["test"] and not seen["train"] & seen["val"] and not seen["val"] & seen["test"]


def test_every_language_is_in_every_split_and_the_vocabulary_fits() -> None:
    data = CLDRNames()
    data.setup("fit")
    data.setup("test")
    for split in ("train", "val", "test"):
        assert (data.splits[split][1].bincount(minlength=14) > 0).all()
    assert data.vocabulary is not None and len(data.vocabulary) < data.vocab_size
    assert (data.splits["test"][0] == 1).float().mean() < 0.001  # hardly a character that training has not


def test_other_scripts_are_left_out() -> None:
    assert is_latin("São Tomé-et-Príncipe") and not is_latin("Κύπρος") and not is_latin("Україна")


def test_another_number_of_languages_is_refused() -> None:
    with pytest.raises(UserError, match="14 languages"):
        CLDRNames(num_classes=3)
