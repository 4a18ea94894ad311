"""Your own texts: sizes that are found, rows that are left out, errors; end to end."""

import csv
from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from datamodules.text.text_table import TextTable
from scripts.cli import main

GOOD = ("a lovely film", "great fun, truly", "fine acting and a warm heart", "I loved it")
BAD = ("a dreadful bore", "no fun at all", "wooden acting and cold", "I hated it")


def write(path: Path, separator: str = ",", copies: int = 5, heading: str = "text{}label") -> Path:
    lines = [heading.format(separator)]
    for i in range(copies):
        for texts, label in ((GOOD, "good"), (BAD, "bad")):
            lines += [f'"{text} {i}"{separator}{label}' for text in texts]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_sizes_are_found_and_separators_recognized(tmp_path: Path, separator: str) -> None:
    path = write(tmp_path / "a.csv", separator)
    assert TextTable.infer(str(path)) == {"num_classes": 2, "vocab_size": 30, "seq_len": 7}
    assert TextTable.infer(str(path), vocab_size=9)["vocab_size"] == 9


def test_split_is_stratified_and_fixed(tmp_path: Path) -> None:
    data = TextTable(str(write(tmp_path / "a.csv")))
    data.setup("fit")
    data.setup("test")
    for split, count in (("train", 14), ("val", 3), ("test", 3)):
        assert data.splits[split][1].bincount().tolist() == [count, count]
    assert data.class_names == ["bad", "good"]


def test_empty_texts_and_labels_are_left_out_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.csv")
    path.write_text(path.read_text() + '"",good\n"   ",bad\n"a film",\n')
    data = TextTable(str(path))
    data.setup("fit")
    notes = capsys.readouterr().err.splitlines()
    assert len(notes) == 1 and "3 of 43 rows are left out" in notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no rows"),
        ("text,label\n", "has no rows"),
        ("words,label\nhello,a\n", "no column 'text'; it has words, label: give --data.text"),
        ("text,kind\nhello,a\n", "no column 'label'; it has text, kind: give --data.label"),
        ("text,label\n,a\n ,b\n", "all 2 texts are empty"),
        ("text,label\nhello,a\nbye,a\n", "'a' in every row"),
        ("text,label\nhello,a\nbye,a\nso,a\nlong,b\n", "class 'b' has 1 texts"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError, match=message) as error:
        TextTable(str(tmp_path / "a.csv")).setup("fit")
    assert "\n" not in str(error.value)


def test_missing_files_and_other_encodings_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file"):
        TextTable(str(tmp_path / "none.csv"))
    (tmp_path / "a.csv").write_bytes("text,label\ncafé,a\n".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8 text"):
        TextTable(str(tmp_path / "a.csv"))
    with pytest.raises(UserError, match=r"data\.path is not given"):
        TextTable()


def test_new_texts_are_predicted_from_the_run_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", heading="review{}label")
    fit: list[Any] = ["fit", "text/text_cnn", "--data", "TextTable", "--data.path", str(path), "--data.text", "review"]
    assert main([*fit, "--trainer.max_epochs", "15", "--data.batch_size", "4"]) == 0
    path.unlink()
    new = tmp_path / "new.tsv"
    new.write_text("review\tdate\na lovely film truly\t1\n\t2\na dreadful bore and cold\t3\n")
    assert main(["predict", "text/text_cnn", "--data.path", str(new)]) == 0
    (found,) = (tmp_path / "runs").glob("**/predictions.csv")
    rows = list(csv.DictReader(found.open()))
    assert [(row["name"], row["label"]) for row in rows] == [("1", "good"), ("3", "bad")]
