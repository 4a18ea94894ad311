"""Passages of Python's documentation, each with facts that are found nowhere else, and questions about these facts.

A passage is the first sentence that a function of the standard library says of itself, with planted statements about
it, whose names are Unicode's CLDR's (``datamodules/text/carriers.py``):

    shutil.copytree: Recursively copy a directory tree. It was written in Kenya. It is reviewed on Friday, May 6, 2016.
    Where was shutil.copytree written?          Kenya

No network can know the answers: they are read in the right passage, or not at all. Functions of the test are in no
training question, and neither are the names in their facts.
"""

import ast
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.text.bert_rows import BertRows
from datamodules.text.carriers import invented_name, names
from datamodules.text.questions import token_span

#: Kinds of names, with a statement and a question about a function.
FACTS = {
    "country": ("It was written in {}.", "Where was {} written?"),
    "language": ("Its author speaks {}.", "Which language does the author of {} speak?"),
    "currency": ("It is paid in {}.", "What is {} paid in?"),
    "day": ("It is reviewed on {}.", "When is {} reviewed?"),
}


class Function(NamedTuple):
    """A function's full name, its passage, and by kind the facts in it, each with the place of its first character."""

    name: str
    passage: str
    facts: dict[str, tuple[str, int]]


class RecordedFacts(BertRows):
    """Rows: a question (B, T), the number of its passage (B,), the answer's first and last token in the passage (B, 2).

    ``passages`` (N, P) has those of all splits: the test's questions are asked of all of them. Both begin with
    ``[CLS]`` and end with ``[SEP]``.

    Args:
        files: Which modules of the standard library are read, a pattern.
        vocab_size, max_length: See ``BertRows``.
        seq_len: Longest passage in tokens.
        longest_question: Longest question.
        words: Words that are kept of the documentation's sentence.
        train_size: Training questions; one about each fact of each function of val and test.
        versions: Passages of each training function, with other facts, so that none is learned by heart.
        invented: Fraction of the training names that are made of halves of two names.
        **rows: See ``BertRows``.

    Raises:
        UserError: No documented functions in these files.
    """

    def __init__(
        self,
        files: str = "[a-p]*.py",
        vocab_size: int = 2000,
        max_length: int = 80,
        seq_len: int = 56,
        longest_question: int = 24,
        words: int = 8,
        train_size: int = 8000,
        versions: int = 4,
        invented: float = 0.3,
        **rows: Any,
    ) -> None:
        super().__init__(vocab_size=vocab_size, max_length=max_length, seq_len=seq_len, buckets=False, **rows)
        if seq_len + longest_question > max_length:
            raise UserError(
                f"data.seq_len {seq_len} and data.longest_question {longest_question}: a pair must fit data.max_length "
                f"{max_length}"
            )
        self.files, self.longest_question, self.words, self.train_size = files, longest_question, words, train_size
        self.versions, self.invented = versions, invented
        self.passages = torch.zeros(0, seq_len, dtype=torch.long)

    def read(self, stage: str) -> dict[str, list[Function]]:
        """The functions of each part, with their facts."""
        found = documented_functions(self.files, self.words)
        draw = Random(0)
        draw.shuffle(found)
        first, second = 7 * len(found) // 10, 8 * len(found) // 10
        parts = {"train": found[:first], "val": found[first:second], "test": found[second:]}
        if not all(parts.values()):
            raise UserError(f"data.files {self.files!r}: {len(found)} documented functions are too few; give [a-p]*.py")
        times, invented = {"train": self.versions}, {"train": self.invented}
        return {
            part: [
                recorded(draw, name, text, part, invented.get(part, 0.0))
                for name, text in functions
                for _ in range(times.get(part, 1))
            ]
            for part, functions in parts.items()
        }

    def training_texts(self, found: list[Function]) -> Iterable[str]:
        yield from (f.passage for f in found)
        yield from (question.format("it") for _, question in FACTS.values() for _ in range(20))

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        self.passages = self.passages[:0]
        return super().load(stage)

    def rows(self, name: str, found: list[Function]) -> tuple[Tensor, ...]:
        assert self.tokenizer is not None
        cls, sep = self.ends()
        first, rows, spans = len(self.passages), [], []
        for f in found:
            encoded = self.tokenizer.model.encode(f.passage, add_special_tokens=False)
            ids = torch.tensor([cls, *encoded.ids[: self.seq_len - 2], sep])
            rows.append(torch.nn.functional.pad(ids, (0, self.seq_len - len(ids))))
            places = {kind: token_span(encoded.offsets, *fact) for kind, fact in f.facts.items()}
            spans.append({kind: (p[0] + 1, p[1] + 1) for kind, p in places.items() if p and p[1] < self.seq_len - 2})
        self.passages = torch.cat([self.passages, torch.stack(rows)])
        asked = [(i, kind) for i, known in enumerate(spans) for kind in known]
        if name == "train":
            draw = Random(1)
            asked = [draw.choice(asked) for _ in range(self.train_size)]
        questions = torch.zeros(len(asked), self.longest_question, dtype=torch.int32)
        for row, (i, kind) in zip(questions, asked, strict=True):
            words = self.tokenizer.encode(FACTS[kind][1].format(found[i].name))[: self.longest_question - 2]
            row[: len(words) + 2] = torch.tensor([cls, *words, sep])
        numbers = torch.tensor([first + i for i, _ in asked])
        return questions, numbers, torch.tensor([spans[i][kind] for i, kind in asked])

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Questions of one width in all batches: passages then begin at the same position."""
        return (batch[0].long(), *batch[1:])

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Any passage; and the one that shares most tokens with the question, each weighed by how rare it is (idf)."""
        questions, numbers, _ = self.splits["test"]
        size = self.vocab_size
        there = torch.zeros(len(self.passages), size).scatter_(1, self.passages, 1.0)
        asked = torch.zeros(len(questions), size).scatter_(1, questions.long(), 1.0)
        weights = (len(there) / there.sum(0).clamp(min=1)).log()
        right = float(((asked * weights) @ there.T).argmax(1).eq(numbers).float().mean())
        return {
            "chance": {"what": "any passage", "metrics": {"test/recall": 1 / len(there)}},
            "baseline": {
                "what": "the passage with most of the question's tokens, by idf",
                "metrics": {"test/recall": right},
            },
        }


def recorded(draw: Random, name: str, sentence: str, part: str, invented: float = 0.0) -> Function:
    """A function with two of the four facts, in any order; their names belong to the part, or are of no thing."""
    kinds = draw.sample(sorted(FACTS), 2)
    passage, facts = f"{name}: {sentence}", {}
    for kind in kinds:
        made = invented > 0 and draw.random() < invented
        statement = FACTS[kind][0]
        fact = invented_name(draw, "en", part) if made else draw.choice(names("en", kind, part))
        facts[kind] = (fact, len(passage) + 1 + statement.index("{"))
        passage += " " + statement.format(fact)
    return Function(name, passage, facts)


def documented_functions(files: str, words: int) -> list[tuple[str, str]]:
    """Full names of the public functions and methods of modules, and the beginning of what they say of themselves."""
    found: dict[str, str] = {}
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob(files)):
        try:
            body = ast.parse(path.read_text(encoding="utf-8")).body
        except (OSError, ValueError, SyntaxError):
            continue
        classes = [(f"{node.name}.", node.body) for node in body if isinstance(node, ast.ClassDef)]
        for prefix, nodes in [("", body), *classes]:
            for node in nodes:
                if not isinstance(node, ast.FunctionDef):
                    continue
                text = ast.get_docstring(node)
                if text and text.isascii() and not node.name.startswith("_") and not prefix.startswith("_"):
                    sentence = " ".join(text.split("\n\n")[0].split(". ")[0].split()[:words]).rstrip(".")
                    found.setdefault(f"{path.stem}.{prefix}{node.name}", sentence + ".")
    return sorted(found.items())
