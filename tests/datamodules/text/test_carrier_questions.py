"""Questions in thirteen languages."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.carrier_questions import CarrierQuestions
from datamodules.text.squad_file import read_squad, write_squad


def test_answers_stand_where_they_are_said_to_and_a_quarter_has_none(tmp_path: Path) -> None:
    asked = CarrierQuestions(train_size=520).read("fit")["train"]
    for q in asked:
        assert all(q.passage[start : start + len(text)] == text for text, start in q.answers)
    assert 0.18 < sum(not q.answers for q in asked) / len(asked) < 0.32
    write_squad(tmp_path / "a.json", asked)
    assert read_squad(tmp_path / "a.json") == asked


def test_an_unknown_language_is_one_line() -> None:
    with pytest.raises(UserError, match=r"data\.languages has no 'xx'"):
        CarrierQuestions(languages=["xx"])
