"""Your own texts: sizes that are found, rows that are left out, errors; end to end."""

import csv
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import torch

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
    sizes = {"num_classes": 2, "vocab_size": 30, "seq_len": 64, "unit": "word", "batch_size": 16}
    assert TextTable.infer(str(path)) == sizes
    assert TextTable.infer(str(path), vocab_size=9)["vocab_size"] == 9


def test_split_is_stratified_and_fixed(tmp_path: Path) -> None:
    data = TextTable(str(write(tmp_path / "a.csv")))
    data.setup("fit")
    data.setup("test")
    for split, count in (("train", 14), ("val", 3), ("test", 3)):
        assert data.splits[split][1].bincount().tolist() == [count, count]
    assert data.class_names == ["bad", "good"]


def test_empty_texts_and_labels_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv")
    path.write_text(path.read_text() + '"",good\n"   ",bad\n"a film",\n')
    data = TextTable(str(path))
    data.setup("fit")
    assert "3 of 43 rows are left out: they have no text or no label" in data.summary()
    assert data.summary().startswith(f"read {path}: train 28, val 6, test 6 texts; 2 classes (bad 20, good 20)")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("text,label\n", "has no rows"),
        ("words,label\nhello,a\n", "no column 'text'; it has words, label: give --data.text"),
        ("text,kind\nhello,a\n", "no column 'label'; it has text, kind: give --data.label"),
        ("text,label\n,a\n ,b\n", "all 2 texts are empty"),
        ("so good,a\nso bad,b\nfun,a\n", "first row seems to be no heading: name the columns by --data.columns"),
        ("text,text,label\nx,hello,a\n", "2 columns are called 'text'"),
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
    assert main([*fit, "--trainer.max_epochs", "2"]) == 0
    path.unlink()
    new = tmp_path / "new.tsv"
    new.write_text("review\tdate\na lovely film truly\t1\n\t2\na dreadful bore and cold\t3\n")
    assert main(["predict", "text/text_cnn", "--data.path", str(new)]) == 0
    (found,) = (tmp_path / "runs").glob("**/predictions.csv")
    rows = list(csv.DictReader(found.open()))
    assert [(row["name"], row["label"]) for row in rows] == [("1", "good"), ("3", "bad")]


def test_a_file_without_a_heading_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text("".join(f"a warm , funny film {i}\t{i % 2}\n" for i in range(20)))
    for columns in ("text,label", ["text", "label"]):
        data = TextTable(str(path), columns=columns)  # type: ignore[arg-type]
        data.setup("fit")
        assert sum(data.counts().values()) == 20 and data.class_names == ["0", "1"]
    again = TextTable(str(path), columns="text,label", num_classes=2, vocab_size=99, seq_len=9)
    again.load_processor(data.processor())
    path.write_text("new , text\nanother\n")  # without labels
    again.setup("predict")
    assert again.predict_cells == {"text": ["new , text", "another"]}
    with pytest.raises(UserError, match="columns has no 'label'"):
        TextTable(str(path), columns="text,kind")


def test_a_file_that_is_not_the_runs_is_tested_whole(tmp_path: Path) -> None:
    data = TextTable(str(write(tmp_path / "a.csv")))
    data.setup("fit")
    sizes = {"num_classes": 2, "vocab_size": data.vocab_size, "seq_len": 9}
    other = tmp_path / "other.csv"
    other.write_text("text,label\n" + "a lovely film,good\n" * 9)  # of one class
    for path, rows in ((other, 9), (tmp_path / "a.csv", 6)):
        again = TextTable(str(path), **sizes)
        again.load_processor(data.processor())
        again.setup("test")
        assert len(again.splits["test"][0]) == rows and again.other_file == (rows == 9)
    other.write_text("text,label\nso,dull\n")
    again = TextTable(str(other), **sizes)
    again.load_processor(data.processor())
    with pytest.raises(UserError, match="class 'dull' did not occur"):
        again.setup("test")


def test_a_test_file_is_the_test_and_all_of_the_other_is_for_training(tmp_path: Path) -> None:
    test = tmp_path / "test.csv"
    test.write_text("text,label\na film,good\nno film,bad\nso,bad\n")
    data = TextTable(str(write(tmp_path / "a.csv")), test_path=str(test))
    data.setup("fit")
    assert data.counts() == {"train": 34, "val": 6}
    data.setup("test")
    assert len(data.splits["test"][0]) == 3 and set(data.baselines()) == {"chance", "baseline"}
    again = TextTable(data.path, test_path=str(test), num_classes=2, vocab_size=data.vocab_size, seq_len=64)
    again.load_processor(data.processor())
    again.setup("test")
    assert again.own_path == str(test)
    predicting = TextTable(data.path, test_path=str(test), num_classes=2, vocab_size=data.vocab_size, seq_len=64)
    predicting.load_processor(data.processor())
    predicting.setup("predict")
    assert predicting.own_path == data.path and len(predicting.splits["predict"][0]) == 40


def test_labels_in_both_forms_of_unicode_and_with_blanks_are_one_class(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    names = ["ẹ̀kọ́", unicodedata.normalize("NFD", "ẹ̀kọ́"), " ẹ̀kọ́ ", "None"]
    path.write_text("text,label\n" + "".join(f"film {i},{names[i % 4]}\n" for i in range(40)))
    data = TextTable(str(path))
    data.setup("fit")
    assert data.class_names == ["None", "ẹ̀kọ́"]


def test_long_texts_are_kept_or_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"{'word ' * 300} {i},{'ab'[i % 2]}\n" for i in range(20)))
    data = TextTable(str(path), unit="word")
    data.setup("fit")
    assert data.seq_len == 301 and "cut" not in data.summary()
    data = TextTable(str(path), unit="word", seq_len=256)
    data.setup("fit")
    assert "20 of 20 texts are longer than data.seq_len 256 words and are cut" in data.summary()


def test_predictions_have_the_text_and_the_other_columns(tmp_path: Path) -> None:
    data = TextTable(str(write(tmp_path / "a.csv")))
    data.setup("fit")
    new = tmp_path / "new.csv"
    new.write_text("id,text\nM9,a good film\nM10,\nM11,a dull film\n")
    again = TextTable(str(new), num_classes=2, vocab_size=data.vocab_size, seq_len=9)
    again.load_processor(data.processor())
    again.setup("predict")
    assert again.predict_names == ["1", "3"]
    assert again.predict_cells == {"id": ["M9", "M11"], "text": ["a good film", "a dull film"]}


def test_texts_of_a_script_without_spaces_have_sub_words(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"ภาษาไทยเป็นภาษาที่ไม่มีช่องว่าง{i}ดี,{'ab'[i % 2]}\n" for i in range(40)))
    data = TextTable(str(path))
    data.setup("fit")
    assert data.unit == "subword" and (data.splits["train"][0] > 1).sum(1).min() > 1


def test_some_training_tokens_are_unknown_each_time_and_padding_is_not(tmp_path: Path) -> None:
    data = TextTable(str(write(tmp_path / "a.csv")), word_dropout=0.5)
    x = torch.tensor([[5, 6, 7, 0]]).repeat(400, 1)
    dropped, y = data.augment((x, x))
    assert 0.45 < (dropped[:, :3] == 1).float().mean() < 0.55 and not dropped[:, 3].any() and y is x
    with pytest.raises(UserError, match="word_dropout is 1"):
        TextTable(str(tmp_path / "a.csv"), word_dropout=1)


def test_few_texts_have_small_batches_and_at_least_forty_steps_in_an_epoch(tmp_path: Path) -> None:
    data = TextTable(str(write(tmp_path / "a.csv")))
    data.setup("fit")
    assert data.batch_size == 16 and len(data.train_dataloader()) == 40
    assert "an epoch goes 20 times over the 28 training texts" in data.summary()
    typed = TextTable(str(tmp_path / "a.csv"), batch_size=4)
    typed.setup("fit")
    assert typed.batch_size == 4 and len(typed.train_dataloader()) == 42


def test_copies_of_a_text_are_in_one_split(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, *lines[1:]]) + "\n")
    data = TextTable(str(path))
    data.setup("fit")
    data.setup("test")
    texts = {name: set(found) for name, found in data.texts.items()}
    assert not texts["train"] & texts["val"] and not texts["train"] & texts["test"] and not texts["val"] & texts["test"]
    assert data.counts() == {"train": 56, "val": 12, "test": 12}
    assert "40 rows repeat a text and are in the split of its first row" in data.facts
