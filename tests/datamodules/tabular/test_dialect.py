"""How a file is written is found in its first lines."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.tabular import dialect
from datamodules.tabular.dialect import Dialect, find_dialect, find_separator, survey


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a;b\n1,5;2,5\n", ";"),
        ("a,b\n1,2\n", ","),
        ("name;price,eur;x\na;1,5;3\n", ";"),
        ("a\tb, c\n1\t2, 3\n", "\t"),
        ("one\n1\n", ","),
        ('"a;b",c\n1,2\n', ","),
    ],
)
def test_the_separator(text: str, separator: str) -> None:
    assert find_separator(text) == separator


def test_the_lines_of_a_file_are_surveyed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,"two\nlines"\n3\n')
    seen = survey(str(path), Dialect())
    assert (seen.unclosed, seen.short, seen.first_short, seen.breaks, seen.longest) == ("", 1, 4, 1, 2)


def test_an_encoding_that_is_not_known_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"data\.encoding 'utf-99' is not known"):
        find_dialect(str(tmp_path / "t.csv"), "utf-99")


def test_a_cell_without_an_end_takes_no_more_memory_than_the_largest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.csv").write_text('a,b\n1,"' + "x,2\n" * 1000)
    monkeypatch.setattr(dialect, "LARGEST_CELL", 100)
    unclosed = survey(str(tmp_path / "t.csv"), Dialect()).unclosed
    assert "line 2: a quotation mark is not closed" in unclosed and "field larger than field limit (100)" in unclosed
