"""Delimited files as they are: separators, quotation marks, headings, and the row that is wrong."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.rows import read_rows, unquoted

WANTED = ("text", "label")


def write(path: Path, content: str, encoding: str = "utf-8") -> str:
    path.write_bytes(content.encode(encoding))
    return str(path)


def fields(path: str, **options: object) -> list[list[str]]:
    return [row.fields for row in read_rows(path, wanted=WANTED, **options).rows]  # type: ignore[arg-type]


def test_a_tab_wins_against_as_many_commas_where_the_name_or_the_heading_says_so(tmp_path: Path) -> None:
    lines = "".join(f"a warm , funny film {i}\t{i % 2}\n" for i in range(6))
    assert fields(write(tmp_path / "a.csv", "text\tlabel\n" + lines))[0] == ["a warm , funny film 0", "0"]
    named = read_rows(write(tmp_path / "a.tsv", lines), ["text", "label"])
    assert named.separator == "\t" and len(named.rows) == 6 and named.rows[0].line == 1
    assert read_rows(write(tmp_path / "b.tsv", "title, year\ttext\n" + "x, 1\ty\n" * 3)).separator == "\t"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\nsee you, win money, now,spam\nhello,ham\n"),
        ("a.csv", "text\nhello\nsee you, win money, now\n"),
        ("a.csv", "text;label\nhello;ham\na; b;ham\n"),
        ("a.tsv", "text\tlabel\nhello\tham\nno label\n"),
    ],
)
def test_a_row_with_another_number_of_fields_is_refused_with_its_line(tmp_path: Path, name: str, content: str) -> None:
    line = next(n for n, row in enumerate(content.splitlines(), 1) if row[:3] in ("see", "a; ", "no "))
    with pytest.raises(UserError, match=rf"{name}:{line}: \d fields?, but the heading has \d"):
        read_rows(write(tmp_path / name, content), wanted=WANTED)


def test_quoted_separators_line_ends_and_doubled_marks_are_read(tmp_path: Path) -> None:
    content = 'text,label\n"see you, ""now""",spam\n"two\nlines, here",ham\nplain,ham\n'
    found = read_rows(write(tmp_path / "a.csv", content), wanted=WANTED)
    assert [row.fields for row in found.rows] == [
        ['see you, "now"', "spam"],
        ["two\nlines, here", "ham"],
        ["plain", "ham"],
    ]
    assert [row.line for row in found.rows] == [2, 3, 5] and found.facts == [
        "1 rows have line ends within a quoted field"
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", ["\t", ",", "|"])
def test_a_mark_that_nothing_closes_is_a_sign_where_each_line_has_all_fields(
    tmp_path: Path, separator: str, ending: str
) -> None:
    rows = [["text", "label"], *(['"' * (i in (3, 9)) + f"film {i}", "ab"[i % 2]] for i in range(20))]
    path = write(tmp_path / "a.txt", "".join(separator.join(row) + ending for row in rows))
    assert fields(path) == rows[1:]


def test_marks_around_a_whole_field_of_a_tsv_quote_it_and_others_are_signs(tmp_path: Path) -> None:
    content = 'text\tlabel\n"so, ""good"" it is"\ta\n"Yes" and "no"\tb\nsay "no"\tb\n'
    assert [row[0] for row in fields(write(tmp_path / "a.tsv", content))] == [
        'so, "good" it is',
        '"Yes" and "no"',
        'say "no"',
    ]
    assert unquoted('"') == '"' and unquoted('""') == ""


def test_a_mark_that_swallows_rows_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = [f'"a, b {i}",good' for i in range(4)] + ['"open,bad', '"c, d",good', '"e, f",good', 'close",bad']
    with pytest.raises(UserError, match=r"a\.csv:6: a quotation mark"):
        read_rows(write(tmp_path / "a.csv", "\n".join(["text,label", *rows]) + "\n"), wanted=WANTED)


def test_marks_within_fields_are_signs(tmp_path: Path) -> None:
    content = 'text,label\n"Great" film,a\n"a, b",b\n'
    assert fields(write(tmp_path / "a.csv", content)) == [["Great film", "a"], ["a, b", "b"]]


def test_excels_files_are_read(tmp_path: Path) -> None:
    content = "text;label\r\nso; la\r\n"
    assert fields(write(tmp_path / "a.csv", "sep=;\r\n" + content)) == [["so", "la"]]
    assert fields(write(tmp_path / "b.csv", "\ufeff" + content)) == [["so", "la"]]
    assert fields(write(tmp_path / "c.txt", "text\tlabel\r\nẹ̀rọ\tx\r\n", "utf-16")) == [["ẹ̀rọ", "x"]]
    assert fields(write(tmp_path / "d.csv", "text,label,,\r\na,b,,\r\n")) == [["a", "b", "", ""]]


def test_lines_of_a_txt_file_with_one_heading_are_texts(tmp_path: Path) -> None:
    assert fields(write(tmp_path / "a.txt", "text\nsee you, win money, now\nso\n")) == [
        ["see you, win money, now"],
        ["so"],
    ]


def test_a_field_may_be_long_and_headings_have_blanks(tmp_path: Path) -> None:
    found = read_rows(write(tmp_path / "a.csv", f" text , label \n{'x' * 200_000},a\n"), wanted=WANTED)
    assert found.heading == ["text", "label"] and len(found.column("text")[0]) == 200_000
