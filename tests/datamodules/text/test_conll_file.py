"""A person's own tagged sentences."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.conll_file import ConllFile, read_conll

TEXT = "-DOCSTART- -X- O\n\n# a remark\nNairobi NNP B-LOC\nis VB O\n\nin\tO\nAddis\tB-LOC\nAbaba\tI-LOC\n\n\n"


def file(folder: Path, content: str = TEXT * 6) -> str:
    (path := folder / "a.conll").write_text(content, encoding="utf-8")
    return str(path)


def test_the_first_column_is_the_word_and_the_last_its_tag(tmp_path: Path) -> None:
    assert read_conll(file(tmp_path, TEXT)) == [
        (["Nairobi", "is"], ["B-LOC", "O"]),
        (["in", "Addis", "Ababa"], ["O", "B-LOC", "I-LOC"]),
    ]


def test_sentences_are_split_and_tags_found(tmp_path: Path) -> None:
    data = ConllFile(file(tmp_path), vocab_size=60)
    data.setup("fit")
    assert data.num_classes == 3 and data.class_names == ["O", "B-LOC", "I-LOC"]
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [8, 2, 2]


def test_prediction_reads_words_alone(tmp_path: Path) -> None:
    data = ConllFile(file(tmp_path), vocab_size=60)
    data.setup("fit")
    new = ConllFile(file(tmp_path, "Ababa\nis\n"), num_classes=3, vocab_size=60)
    new.load_processor(data.processor())
    new.setup("predict")
    assert new.tagged_words["predict"] == [["Ababa", "is"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a O\nb\n", "line 2: 'b' has no tag"),
        ("a O\nb c\n", "line 2: 'c' is not a tag"),
        ("# x\n\n", "has no sentence"),
        ("a O\n\nb O\n", "every tag is O"),
    ],
)
def test_what_cannot_be_used_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        ConllFile(file(tmp_path, content))


def test_a_test_file_may_have_no_names(tmp_path: Path) -> None:
    (tmp_path / "test.conll").write_text("is O\n\nin O\n", encoding="utf-8")
    data = ConllFile(file(tmp_path), str(tmp_path / "test.conll"), vocab_size=60)
    data.setup("fit")
    data.setup("test")
    assert len(data.splits["test"][0]) == 2


def test_another_tag_than_the_runs_is_one_line(tmp_path: Path) -> None:
    data = ConllFile(file(tmp_path), vocab_size=60)
    data.setup("fit")
    new = ConllFile(file(tmp_path, "Ababa B-PER\nis O\n\n" * 4), num_classes=3, vocab_size=60)
    new.load_processor(data.processor())
    with pytest.raises(UserError, match="tag 'B-PER' did not occur"):
        new.setup("test")


def test_another_file_than_the_runs_is_tested_whole(tmp_path: Path) -> None:
    data = ConllFile(file(tmp_path), vocab_size=60)
    data.setup("fit")
    for name, content, rows in (("a", TEXT * 6, 2), ("whole", TEXT, 2), ("one", "a B-LOC\n", 1), ("none", "a O\n", 1)):
        (tmp_path / f"{name}.conll").write_text(content, encoding="utf-8")
        again = ConllFile(str(tmp_path / f"{name}.conll"), num_classes=3, vocab_size=60)
        again.load_processor(data.processor())
        again.setup("test")
        assert len(again.splits["test"][0]) == rows and again.other_file == (name != "a")
        assert ("not the file of the run: all of it" in again.facts) == again.other_file
