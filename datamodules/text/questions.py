"""Questions and the passages that have their answers, as BERT reads them: ``[CLS] question [SEP] passage [SEP]``.

A passage that is too long is read in windows that overlap by ``stride`` tokens. An answer's place in the text comes
from the tokenizer's offsets, which are those of the text as it was written, not of the normalized one. An answer is
made of whole words, as in BERT's program for SQuAD: one that ends within a word goes on to the end of it. Where words
are written without spaces between them (``UNSPACED``), it is made of tokens.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import regex
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.text.bert_rows import BertRows

UNSPACED = regex.compile(r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Hiragana}\p{Katakana}\p{Han}]")


class Question(NamedTuple):
    """A question, its passage, and the right answers, each a text and where it begins; none: it has no answer."""

    name: str
    question: str
    passage: str
    answers: list[tuple[str, int]]


class Window(NamedTuple):
    """A row: its question's number, its first token's number in the passage, and where that stands in the row."""

    question: int
    first: int
    place: int


class QuestionText(BertRows):
    """Rows: tokens (B, T), the number of the window (B,), the answer's first and last place (B, 2), 0 without one.

    A subclass supplies ``read``: questions by split.

    Args:
        stride: Tokens that neighboring windows of a passage share.
        longest_question: Tokens after which a question is cut.
        **rows: See ``BertRows``.

    Attributes:
        window_questions: The question of each window, by split.
        right_answers: The texts of the right answers of each question, by split.
    """

    input_means = "[CLS] question [SEP] passage [SEP], ids of the tokenizer in processor.json, then 0"
    items = "windows"

    def __init__(self, stride: int = 32, longest_question: int = 48, **rows: Any) -> None:
        super().__init__(**rows)
        room = self.seq_len - 3 - longest_question
        if longest_question < 1 or stride < 0 or room <= stride:
            raise UserError(
                f"data.seq_len {self.seq_len}, data.longest_question {longest_question}, data.stride {stride}: a "
                "window needs room for a question and for more than stride tokens of the passage"
            )
        self.stride, self.longest_question = stride, longest_question
        self.questions: dict[str, list[Question]] = {}
        self.windows: dict[str, list[Window]] = {}
        self.offsets: dict[str, list[list[tuple[int, int]]]] = {}  # of each token of each passage, of its whole word
        self.window_questions: dict[str, Tensor] = {}
        self.right_answers: dict[str, list[list[str]]] = {}

    def read(self, stage: str) -> dict[str, list[Question]]:
        """Questions of train, val and test; for the stage predict, those to answer."""
        raise NotImplementedError

    def training_texts(self, found: list[Question]) -> Iterable[str]:
        return (text for q in found for text in (q.question, q.passage))

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits = super().load(stage)
        if "test" in splits and "predict" not in self.questions:
            splits["predict"] = splits["test"][:2]
            for kept in (self.questions, self.windows, self.offsets, self.window_questions):
                kept["predict"] = kept["test"]  # type: ignore[index,assignment]
        if "predict" in self.questions:
            asked = self.questions["predict"]
            self.predict_names = [q.name for q in asked]
            self.predict_cells = {"question": [q.question for q in asked]}
        return splits

    def rows(self, name: str, found: list[Question]) -> tuple[Tensor, ...]:
        assert self.tokenizer is not None
        cls, sep = self.ends()
        rows, spans = [], []
        self.questions[name], self.windows[name], self.offsets[name] = found, [], []
        for k, q in enumerate(found):
            asked = self.tokenizer.encode(q.question)[: self.longest_question]
            encoded = self.tokenizer.model.encode(q.passage, add_special_tokens=False)
            words = zip(encoded.offsets, encoded.word_ids, strict=True)
            kept = [None if UNSPACED.search(q.passage, *place) else word for place, word in words]
            self.offsets[name].append(word_offsets(encoded.offsets, kept))
            answer = token_span(encoded.offsets, *q.answers[0]) if q.answers else None
            place, room = len(asked) + 2, self.seq_len - len(asked) - 3
            for first in starts(len(encoded.ids), room, self.stride):
                piece = encoded.ids[first : first + room]
                rows.append(torch.tensor([cls, *asked, sep, *piece, sep], dtype=torch.int32))
                inside = answer is not None and answer[0] >= first and answer[1] < first + len(piece)
                spans.append([place + t - first for t in answer] if inside and answer else [0, 0])
                self.windows[name].append(Window(k, first, place))
        self.window_questions[name] = torch.tensor([w.question for w in self.windows[name]])
        self.right_answers[name] = [[text for text, _ in q.answers] for q in found]
        x = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        tensors = (x, torch.arange(len(x)))
        return tensors if name == "predict" else (*tensors, torch.tensor(spans))

    def answer_text(self, split: str, window: int, first: int, last: int) -> str:
        """The text from the word of one token of a window to that of another, as it was written."""
        k, begin, place = self.windows[split][window]
        offsets = self.offsets[split][k]
        return self.questions[split][k].passage[offsets[begin + first - place][0] : offsets[begin + last - place][1]]

    def baselines(self) -> dict[str, dict[str, Any]]:
        """No answer to any question."""
        right = self.right_answers["test"]
        none = sum(not answers for answers in right) / len(right)
        return {"chance": {"what": "no answer", "metrics": {"test/exact": none, "test/f1": none}}}


def word_offsets(offsets: list[tuple[int, int]], words: list[int | None]) -> list[tuple[int, int]]:
    """For each token where its word begins and ends, from the tokens' offsets and the numbers of their words, or None
    where a token is taken as it is.
    """
    ends: dict[int | None, tuple[int, int]] = {}
    for (start, end), word in zip(offsets, words, strict=True):
        first, last = ends.get(word, (start, end))
        ends[word] = (min(first, start), max(last, end))
    return [offset if word is None else ends[word] for offset, word in zip(offsets, words, strict=True)]


def starts(length: int, room: int, stride: int) -> list[int]:
    """The first tokens of the windows of ``room`` tokens that cover a passage, neighbors sharing ``stride``."""
    found = [0]
    while found[-1] + room < length:
        found.append(found[-1] + room - stride)
    return found


def token_span(offsets: list[tuple[int, int]], text: str, start: int) -> tuple[int, int] | None:
    """The first and last token of a text that begins at a character; None if no token has a part of it."""
    inside = [i for i, (a, b) in enumerate(offsets) if b > start and a < start + len(text)]
    return (inside[0], inside[-1]) if inside else None
