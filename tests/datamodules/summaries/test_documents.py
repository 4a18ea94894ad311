"""Files of documents: both forms of a line, splits, errors with their line."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.summaries.documents import Document, read_documents
from datamodules.summaries.summary_file import SummaryFile

GOOD = (
    '{"text": "One is here. Two is there.", "summary": "One."}\n\n{"source": ["A b.", " c. "], "target": ["x", "y"]}\n'
)


def test_lines_of_json_and_of_two_columns(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(GOOD)
    assert read_documents(tmp_path / "a.jsonl") == [
        Document(["One is here.", "Two is there."], ["One."], 1),
        Document(["A b.", "c."], ["x", "y"], 3),
    ]
    (tmp_path / "b.tsv").write_text("One is here. Two.\tOne.\tsource\n")
    assert read_documents(tmp_path / "b.tsv") == [Document(["One is here.", "Two."], ["One."], 1)]
    (tmp_path / "c.txt").write_text("Only a text.\n")
    assert read_documents(tmp_path / "c.txt", with_summaries=False) == [Document(["Only a text."], [], 1)]


def test_only_line_ends_separate_documents(tmp_path: Path) -> None:
    line = '{"text": ["One\u2028is\u0085here.", "Two."], "summary": "a"}'
    (tmp_path / "a.jsonl").write_text(f"{line}\n", encoding="utf-8")
    (tmp_path / "b.tsv").write_text("One is\x0chere.\tx\u2029y\n", encoding="utf-8")
    assert [d.sentences for d in read_documents(tmp_path / "a.jsonl")] == [["One\u2028is\u0085here.", "Two."]]
    assert [d.summaries for d in read_documents(tmp_path / "b.tsv")] == [["x\u2029y"]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"text": "a", "summary": "b"}\n{"text": "a"\n', ":2 is not JSON: Expecting"),
        ('{"title": "a", "summary": "b"}\n', ":1 has no text"),
        ('{"text": "a"}\n', ":1 has no summary"),
        ("a\tb\n\tb\n", ":2 has no text"),
        ("a\tb\nc\t\n", ":2 has no summary"),
        ("a text\n", ":1 is neither JSON nor text<TAB>summary"),
        ("\n", "is empty: give a file with text"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(UserError) as error:
        read_documents(tmp_path / "a")
    assert says in str(error.value) and "\n" not in str(error.value)


def test_another_encoding_is_named_with_its_byte(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("Ẹ̀kọ́\tb".encode("utf-16-le"))
    with pytest.raises(UserError, match="is not UTF-8 text: byte"):
        read_documents(tmp_path / "a")


def test_a_file_is_split_and_another_one_is_tested_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("".join(f"text {i}\tsummary {i}\n" for i in range(10)))
    file = SummaryFile(str(tmp_path / "a"), 0.2, 0.1)
    parts = file.documents("fit")
    assert {name: len(found) for name, found in parts.items()} == {"val": 2, "test": 1, "train": 7} and not file.facts
    assert len({d.summaries[0] for found in parts.values() for d in found}) == 10
    (tmp_path / "b").write_text("text\tsummary\n")
    other = SummaryFile(str(tmp_path / "b"), 0.2, 0.1, 20, 20)  # the run's sizes
    other.run_file = file.run_file
    assert len(other.documents("test")["test"]) == 1 and other.facts == ["not the file of the run: all of it"]
    with pytest.raises(UserError, match="has 1 documents: at least 3"):
        other.documents("fit")
    with pytest.raises(UserError, match="leave an empty split"):
        SummaryFile("a", 0.5, 0.5)
