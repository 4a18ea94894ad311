"""Tagged sentences of thirteen languages."""

import pytest

from common.messages import UserError
from datamodules.text.carrier_tags import CarrierTags, tagged
from datamodules.text.carriers import Fact
from datamodules.text.conll_file import read_conll, write_conll


def test_a_name_has_its_tags_and_a_sign_is_a_word() -> None:
    words, tags = tagged([Fact("country", "It is South Sudan.", "South Sudan", 6)])
    assert words == ["It", "is", "South", "Sudan", "."]
    assert tags == ["O", "O", "B-country", "I-country", "O"]


def test_written_as_conll_the_sentences_are_read_again(tmp_path) -> None:  # type: ignore[no-untyped-def]
    sentences = CarrierTags(train_size=26, val_size=13, test_size=13).read("fit")["train"]
    write_conll(tmp_path / "a.conll", sentences)
    assert read_conll(tmp_path / "a.conll") == sentences


def test_an_unknown_language_is_one_line() -> None:
    with pytest.raises(UserError, match=r"data\.languages has no 'xx'"):
        CarrierTags(languages=["xx"])
