"""Your own questions: a json file as SQuAD's, version 1.1 or 2.0.

    dive fit bert/question_answering --data SquadFile --data.path train.json
    dive predict bert/question_answering --data.path new.json                the answers may be absent

``{"data": [{"paragraphs": [{"context": TEXT, "qas": [{"id": ..., "question": TEXT, "answers": [{"text": TEXT,
"answer_start": NUMBER}], "is_impossible": false}]}]}]}``. Questions about one passage are in one split.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from common.messages import UserError
from datamodules.run_file import KnowsItsFile
from datamodules.splits import split_fractions
from datamodules.text.files import read_text
from datamodules.text.questions import Question, QuestionText


class SquadFile(KnowsItsFile, QuestionText):
    """Questions of a file. The split is fixed (seed 0), by passages.

    Args:
        path: The file, UTF-8.
        test_path: A file for the test; then ``path`` is for training and validation only.
        vocab_size, seq_len, longest_question, stride: See ``QuestionText``.
        val_fraction, test_fraction: Fractions of the passages held out.
        **rows: See ``BertRows``.

    Raises:
        UserError: A file is missing or cannot be used; an answer is not in its passage.
    """

    def __init__(
        self,
        path: str = "",
        test_path: str = "",
        vocab_size: int = 8000,
        seq_len: int = 256,
        longest_question: int = 48,
        stride: int = 64,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        **rows: Any,
    ) -> None:
        super().__init__(stride, longest_question, vocab_size=vocab_size, seq_len=seq_len, **rows)
        self.path, self.test_path, self.own_path = path, test_path, path
        self.val_fraction, self.test_fraction = val_fraction, test_fraction

    def read(self, stage: str) -> dict[str, list[Question]]:
        if stage == "predict":
            return {"predict": read_squad(self.path)}
        if self.test_path and stage == "test":
            return {"test": read_squad(self.test_path)}
        questions = read_squad(self.path)
        if self.is_another(stage):
            return {"test" if stage == "test" else "val": questions}
        passages = list(dict.fromkeys(q.passage for q in questions))
        if len(passages) < 3:
            raise UserError(f"{self.path}: {len(passages)} passages are too few to split: give at least 3")
        fractions = (self.val_fraction, 0.0 if self.test_path else self.test_fraction)
        found = {}
        parts = split_fractions(torch.zeros(len(passages)), *fractions)
        for name, part in zip(("train", "val", "test"), parts, strict=True):
            chosen = {passages[i] for i in part.tolist()}
            if chosen:
                found[name] = [q for q in questions if q.passage in chosen]
        return found


def read_squad(path: str | Path) -> list[Question]:
    """The questions of a file.

    Raises:
        UserError: No such file, not UTF-8, no json of this form; an answer that is not in its passage.
    """
    text = read_text(path)
    found = []
    try:
        for article in json.loads(text)["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    answers = [(str(a["text"]), int(a["answer_start"])) for a in asked.get("answers") or []]
                    if asked.get("is_impossible"):
                        answers = []
                    found.append(Question(str(asked["id"]), asked["question"], paragraph["context"], answers))
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not json: line {error.lineno}, {error.msg}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is not a file as SQuAD's: {type(error).__name__} {error} in {len(found)} questions"
        ) from None
    if not found:
        raise UserError(f"{path} has no question")
    for q in found:
        for answer, start in q.answers:
            if not answer or q.passage[start : start + len(answer)] != answer:
                raise UserError(
                    f"{path}, question {q.name}: the answer {answer[:40]!r} is not in its passage at {start}"
                )
    return found


def write_squad(path: str | Path, questions: Iterable[Question]) -> None:
    """Writes questions as ``read_squad`` reads them, one passage for each."""
    paragraphs = [
        {
            "context": q.passage,
            "qas": [
                {
                    "id": q.name,
                    "question": q.question,
                    "answers": [{"text": text, "answer_start": start} for text, start in q.answers],
                    "is_impossible": not q.answers,
                }
            ],
        }
        for q in questions
    ]
    content = {"version": "v2.0", "data": [{"title": "", "paragraphs": paragraphs}]}
    Path(path).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
