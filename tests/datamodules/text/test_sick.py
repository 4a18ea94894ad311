"""SICK's file and what is wrong with a line."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.sick import Pair, read_sick

HEADING = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"


def test_a_line_is_a_pair(tmp_path: Path) -> None:
    (path := tmp_path / "s.txt").write_text(HEADING + "1\tA dog runs\tA dog\u2028is running\t4.8\tENTAILMENT\n")
    assert read_sick(path) == [Pair("A dog runs", "A dog\u2028is running", 4.8, "ENTAILMENT")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1\tonly one\t4.5\tNEUTRAL", "line 2: not two sentences"),
        ("1\ta\tb\tmuch\tNEUTRAL", "line 2: not two sentences"),
        ("1\ta\tb\t3.0\tMAYBE", "line 2: 'MAYBE' is none of"),
    ],
)
def test_a_wrong_line_is_one_line(line: str, message: str, tmp_path: Path) -> None:
    (path := tmp_path / "s.txt").write_text(HEADING + line + "\n")
    with pytest.raises(UserError, match=message):
        read_sick(path)
