"""Texts with one class each, as numbers: a vocabulary of declared size and rows of one length.

Number 0 is padding, 1 is an unknown token. The vocabulary has the most frequent tokens of the training texts, at most
the declared number, so that the model can be built before the data is read.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule

PAD, UNKNOWN = "<pad>", "<unk>"
WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")  # words with their apostrophes; every other sign is a token
Unit = Literal["word", "character"]


def split_text(text: str, unit: Unit) -> list[str]:
    """A text as words and signs in lower case, or as unchanged characters."""
    return WORD.findall(text.lower()) if unit == "word" else list(text.strip())


def build_vocabulary(texts: Iterable[str], size: int, unit: Unit) -> list[str]:
    """The tokens of texts by frequency, ties in alphabetical order, after padding and unknown; at most ``size``."""
    counts = Counter(token for text in texts for token in split_text(text, unit))
    by_frequency = sorted(counts, key=lambda token: (-counts[token], token))
    return [PAD, UNKNOWN, *by_frequency[: size - 2]]


def encode(texts: Sequence[str], vocabulary: Sequence[str], seq_len: int, unit: Unit) -> Tensor:
    """Texts as (N, seq_len) int32: their first ``seq_len`` tokens, then padding."""
    number = {token: i for i, token in enumerate(vocabulary)}
    rows = torch.zeros(len(texts), seq_len, dtype=torch.int32)
    for row, text in zip(rows, texts, strict=True):
        tokens = split_text(text, unit)[:seq_len]
        row[: len(tokens)] = torch.tensor([number.get(token, 1) for token in tokens], dtype=torch.int32)
    return rows


class LabeledText(TensorDataModule):
    """Rows x (B, seq_len) int64, padded at the end with 0, and classes y (B,). A subclass supplies ``read``.

    Args:
        num_classes, vocab_size, seq_len: Linked to the model's arguments of the same name.
        unit: Tokens are words or characters.
        **loader: See ``TensorDataModule``.

    Attributes:
        vocabulary: The token of each number; None until the training texts or a run's ``processor.json`` are read.
    """

    links = ("num_classes", "vocab_size", "seq_len")

    def __init__(self, num_classes: int, vocab_size: int, seq_len: int, unit: Unit = "word", **loader: int) -> None:
        super().__init__(**loader)
        for name, value, least in (("vocab_size", vocab_size, 3), ("seq_len", seq_len, 1)):
            if value < least:
                raise UserError(f"data.{name} is {value}: give a whole number of at least {least}")
        self.num_classes = num_classes
        self.vocab_size = vocab_size
        self.seq_len = seq_len
        self.unit: Unit = unit
        self.vocabulary: list[str] | None = None

    @property
    def input_means(self) -> str:  # type: ignore[override]
        return (
            f"a text's {self.unit}s as their places in the vocabulary of processor.json, filled up with 0 to "
            f"{self.seq_len}"
        )

    def read(self, stage: str) -> dict[str, tuple[list[str], Tensor | None]]:
        """The texts and classes (N,) of train, val and test; for the stage predict, texts without classes."""
        raise NotImplementedError

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "vocabulary": self.vocabulary, "unit": self.unit}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.vocabulary, self.unit = processor["vocabulary"], processor["unit"]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        texts = self.read(stage)
        if self.vocabulary is None:
            if "train" not in texts:
                raise UserError("predicting needs a trained run: its processor.json has the vocabulary")
            self.vocabulary = build_vocabulary(texts["train"][0], self.vocab_size, self.unit)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, (lines, y) in texts.items():
            x = encode(lines, self.vocabulary, self.seq_len, self.unit)
            splits[name] = (x,) if y is None else (x, y)
        if "test" in splits:
            splits.setdefault("predict", splits["test"][:1])
        return splits

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *rest = batch
        return (x.long(), *rest)
