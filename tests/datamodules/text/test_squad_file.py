"""A person's own questions."""

import json
from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.questions import Question
from datamodules.text.squad_file import SquadFile, read_squad, write_squad

QUESTIONS = [
    Question(f"q{i}", f"what is {i}?", f"it is number {i} here", [(f"number {i}", 6)] if i % 3 else [])
    for i in range(12)
]


def file(folder: Path, questions: list[Question]) -> str:
    write_squad(folder / "a.json", questions)
    return str(folder / "a.json")


def test_written_questions_are_read_again(tmp_path: Path) -> None:
    assert read_squad(file(tmp_path, QUESTIONS)) == QUESTIONS


def test_one_passage_is_in_one_split(tmp_path: Path) -> None:
    data = SquadFile(file(tmp_path, [*QUESTIONS, *[q._replace(name=q.name + "b") for q in QUESTIONS]]), vocab_size=80)
    parts = data.read("fit")
    assert {name: len(part) for name, part in parts.items()} == {"train": 16, "val": 4, "test": 4}
    passages = [{q.passage for q in part} for part in parts.values()]
    assert not passages[0] & passages[1] and not passages[1] & passages[2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not json: line 1"),
        ('{"data": [{}]}', "not a file as SQuAD's: KeyError 'paragraphs'"),
        ('{"data": []}', "has no question"),
    ],
)
def test_what_cannot_be_used_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read_squad(tmp_path / "a.json")


def test_an_answer_that_is_not_in_its_passage_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="question q: the answer 'x' is not in its passage at 1"):
        read_squad(file(tmp_path, [Question("q", "?", "abc", [("x", 1)])]))


def test_too_few_passages_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 passages are too few"):
        SquadFile(file(tmp_path, QUESTIONS[:2])).read("fit")


def test_questions_to_answer_need_no_answers(tmp_path: Path) -> None:
    asked = {"id": 1, "question": "?"}
    (tmp_path / "a.json").write_text(json.dumps({"data": [{"paragraphs": [{"context": "a", "qas": [asked]}]}]}))
    assert read_squad(tmp_path / "a.json") == [Question("1", "?", "a", [])]


def test_another_file_than_the_runs_is_tested_whole(tmp_path: Path) -> None:
    data = SquadFile(file(tmp_path, QUESTIONS), vocab_size=80)
    data.setup("fit")
    (tmp_path / "other").mkdir()
    other = SquadFile(file(tmp_path / "other", QUESTIONS[:2]), vocab_size=80)
    other.load_processor(data.processor())
    assert {name: len(part) for name, part in other.read("test").items()} == {"test": 2} and other.other_file
    same = SquadFile(file(tmp_path, QUESTIONS), vocab_size=80)
    same.load_processor(data.processor())
    assert len(same.read("test")["test"]) < 4 and not same.other_file
