"""Files as Excel, pandas and people write them: encoding, separator, quotation marks, headings."""

import codecs
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.messages import UserError
from datamodules.tabular import delimited
from datamodules.tabular.delimited import read_cells


def read(folder: Path, content: str | bytes, **options: Any) -> pd.DataFrame:
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_cells(str(path), **options)


ROWS = "a;b\n1;x\n2;y\n3;z\n"


@pytest.mark.parametrize(
    "content",
    [
        ROWS,
        "sep=;\n" + ROWS,
        '"sep=;"\r\n' + ROWS.replace("\n", "\r\n"),
        ROWS.replace("\n", "\r"),
        codecs.BOM_UTF8 + ROWS.encode(),
        ROWS.encode("utf-16"),
        ROWS.encode("utf-16-le"),
        ROWS.encode("utf-16-be"),
        ROWS.replace(";", "\t"),
        ROWS.replace(";", "|"),
        ROWS.replace(";", ","),
        " a ; b \n 1 ; x\n2 ;y \n3;z\n",
    ],
)
def test_encoding_separator_and_blanks(tmp_path: Path, content: str | bytes) -> None:
    table = read(tmp_path, content)
    assert list(table) == ["a", "b"]
    assert table["a"].tolist() == [1, 2, 3] and table["b"].tolist() == ["x", "y", "z"]


def test_a_file_of_windows_is_read_and_said(tmp_path: Path) -> None:
    table = read(tmp_path, "town,n\nKöln,1\nSão,2\n".encode("cp1252"))
    assert table["town"].tolist() == ["Köln", "São"]
    assert "read as cp1252" in table.attrs["facts"][0]


def test_separators_within_quotation_marks_do_not_count(tmp_path: Path) -> None:
    table = read(tmp_path, '"Age (years, rounded)";"Weight, kg";"Height, cm";Risk\n"20";"50";"150";lo\n')
    assert list(table) == ["Age (years, rounded)", "Weight, kg", "Height, cm", "Risk"]


def test_the_separator_is_what_parts_all_lines_alike(tmp_path: Path) -> None:
    assert list(read(tmp_path, "name, first;price\nAda, A;1,5\nBo;2,5\n")) == ["name, first", "price"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", "an Excel workbook"),
        (b"PAR1rest", "a Parquet file"),
        (b"\x00\x01\x02\xff" * 99, "is not UTF-8 text"),
        (b"a,b\n\x81\x8d,2\n", "give --data.encoding"),
        ('a,b,c\n1,"screen,3\n4,x,6\n7,"large,9\n', "line 2: a quotation mark is not closed"),
        ('a,b,c\n1,"screen,3\n4,x,6\n', "line 2|starting at row"),
    ],
)
def test_an_unreadable_file_is_named_with_its_remedy(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, content)
    assert "\n" not in str(error.value)


def test_a_quotation_mark_in_a_tab_separated_file_stands_for_itself(tmp_path: Path) -> None:
    table = read(tmp_path, 'size\titem\n10\t"screen\n12\tcable\n15\t"large\n')
    assert table["item"].tolist() == ['"screen', "cable", '"large']
    quoted = read(tmp_path, 'size\titem\n10\t"a ""b"""\n12\t"two\nlines"\n')  # as Excel writes it
    assert quoted["item"].tolist() == ['a "b"', "two\nlines"]


def test_numbers_are_kept_as_numbers_where_nothing_is_lost(tmp_path: Path) -> None:
    table = read(tmp_path, "n,i,p,a,t\n1.5,12345678901234567,1.234,NA,1\n2,2,5.678,7,x\n")
    assert [name for name in ["n", "i", "p", "a", "t"] if table[name].dtype == np.float64] == ["n", "a"]
    assert read(tmp_path, "n\n1\n2\n", text=["n"])["n"].tolist() == ["1", "2"]


def test_a_large_file_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "PIECE", 0)  # a thousand rows
    rows = [f"{i},{i if i != 2500 else 'x'},{'ab'[i % 2]}\n" for i in range(3000)]
    table = read(tmp_path, "n,late,t\n" + "".join(rows))
    assert table["n"].tolist() == list(range(3000)) and table["late"][2500] == "x" and table["late"][0] == "0"
    assert table["t"][2999] == "b"


def test_short_rows_are_counted(tmp_path: Path) -> None:
    facts = read(tmp_path, "a,b\n1,2\n3\n").attrs["facts"]
    assert facts == ["1 rows have fewer cells than the heading, the first in line 3"]


def test_headings_that_are_empty_or_twice_get_a_name(tmp_path: Path) -> None:
    assert list(read(tmp_path, ",Unnamed: 0,x,x\n1,2,3,4\n")) == ["Unnamed: 0", "Unnamed: 0.1", "x", "x.1"]


def test_a_large_table_is_kept_for_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(delimited, "LARGE", 0)
    monkeypatch.setattr("datamodules.cache.WORTH", 0.0)
    content = "n;t\n1,5;x\n2,5;\n7;y\n"
    first = read(tmp_path, content)
    monkeypatch.setattr(delimited, "read_anew", lambda *_: pytest.fail("read twice"))
    second = read(tmp_path, content)
    pd.testing.assert_frame_equal(first, second)
    assert first.attrs == second.attrs


def test_an_unclosed_quotation_mark_in_a_very_large_file_is_named(tmp_path: Path) -> None:
    filler = ("1," + "2" * 1_000_000 + ",3\n") * 51
    with pytest.raises(UserError, match="line 2: a quotation mark is not closed"):
        read(tmp_path, 'a,b,c\n1,"screen,3\n4,x,6\n7,"large,9\n' + filler)


def test_a_table_that_cannot_be_stored_is_read_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(delimited, "LARGE", 0)
    (tmp_path / "t.csv").write_text(ROWS)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(delimited.Writer, "add", full)
    table = delimited.read_stored(str(tmp_path / "t.csv"))
    assert isinstance(table, pd.DataFrame) and table["b"].tolist() == ["x", "y", "z"]
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    assert not list((tmp_path / "data/read").iterdir())
    monkeypatch.undo()
    monkeypatch.setattr(delimited, "LARGE", 0)
    (tmp_path / "file").write_text("where the folder would be")
    monkeypatch.setenv("DIVE_DATA", str(tmp_path / "file"))
    assert len(delimited.read_stored(str(tmp_path / "t.csv"))) == 3
