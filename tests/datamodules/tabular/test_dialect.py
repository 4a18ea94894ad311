"""How a file is written is found in its first lines."""

from pathlib import Path

import pytest

from common.messages import UserError
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
