"""Texts with one class each, as numbers: a vocabulary of declared size and rows of one length.

Number 0 is padding, 1 is an unknown token. The vocabulary has the most frequent tokens of the training texts, at most
the declared number, so that the model can be built before the data is read. Texts are in Unicode's composed form: a
tone mark that was typed as a sign of its own and one that is part of its letter are the same.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import regex
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule, TensorLoader, global_seed
from datamodules.text.subwords import PAD, UNKNOWN, Subwords

# Words with their apostrophes and combining marks; every other sign is a token, with its own marks.
LETTER = r"[\p{L}\p{N}\p{M}_\u200c\u200d]"
WORD = regex.compile(rf"[\p{{L}}\p{{N}}_]{LETTER}*(?:['\u2019]{LETTER}+)*|[^\s\p{{L}}\p{{N}}_]\p{{M}}*")
Unit = Literal["word", "character", "subword"]


def split_text(text: str, unit: Unit) -> list[str]:
    """A text as words and signs in lower case, or as unchanged characters."""
    text = unicodedata.normalize("NFC", text)
    return WORD.findall(unicodedata.normalize("NFC", text.lower())) if unit == "word" else list(text.strip())


def build_vocabulary(texts: Iterable[str], size: int, unit: Unit) -> list[str]:
    """The tokens of texts by frequency, ties in alphabetical order, after padding and unknown; at most ``size``."""
    counts = Counter(token for text in texts for token in split_text(text, unit))
    by_frequency = sorted(counts, key=lambda token: (-counts[token], token))
    return [PAD, UNKNOWN, *by_frequency[: size - 2]]


def encode(texts: Sequence[str], vocabulary: Sequence[str], seq_len: int, unit: Unit) -> Tensor:
    """Texts as (N, seq_len) int32: their first ``seq_len`` tokens, then padding."""
    number = {token: i for i, token in enumerate(vocabulary)}
    return padded([[number.get(token, 1) for token in split_text(text, unit)] for text in texts], seq_len)


def padded(rows: Sequence[Sequence[int]], seq_len: int) -> Tensor:
    """Rows of numbers as (N, seq_len) int32: their first ``seq_len``, then padding."""
    table = torch.zeros(len(rows), seq_len, dtype=torch.int32)
    for place, row in zip(table, rows, strict=True):
        kept = row[:seq_len]
        place[: len(kept)] = torch.tensor(kept, dtype=torch.int32)
    return table


class TextLoader(TensorLoader):
    """Trims the padding of a batch of texts to its longest one, and goes over few rows several times in an epoch.

    Args:
        tensors, batch_size, shuffle: See ``TensorLoader``.
        repeats: How often an epoch has each row, each time in a new order.
        **loader: See ``TensorLoader``.
    """

    def __init__(
        self, tensors: Sequence[Tensor], batch_size: int, shuffle: bool = False, repeats: int = 1, **loader: Any
    ) -> None:
        super().__init__(tensors, batch_size, shuffle, **loader)
        self.repeats = repeats

    def __len__(self) -> int:
        return self.repeats * super().__len__()

    def _order(self) -> Tensor:
        if self.repeats == 1:
            return super()._order()
        generator, count = self.generator(), len(self.tensors[0])
        whole = [torch.randperm(count, generator=generator)[: count - count % self.world] for _ in range(self.repeats)]
        orders = [order[self.rank :: self.world] for order in whole]
        short = -len(orders[0]) % self.batch_size  # each time ends with its own batch: filled up from its beginning
        return torch.cat([order if k == self.repeats - 1 else fill(order, short) for k, order in enumerate(orders)])

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        for tokens, *rest in super().__iter__():
            longest = max(1, int((tokens != 0).sum(1).max()))
            yield (tokens[:, :longest].contiguous(), *rest)


def fill(order: Tensor, count: int) -> Tensor:
    """An order of rows and ``count`` more of them, from its beginning."""
    return torch.cat([order, order.repeat(-(-count // max(1, len(order))))[:count]])


class LabeledText(TensorDataModule):
    """Rows x (B, T) int64, padded at the end with 0 to the longest of the batch, and classes y (B,). A subclass
    supplies ``read``.

    Args:
        num_classes, vocab_size, seq_len: Linked to the model's arguments of the same name. Longer texts are cut.
        unit: Tokens are words, characters, or sub-words (``datamodules/text/subwords.py``).
        **loader: See ``TensorDataModule``.

    Attributes:
        vocabulary: The token of each number; None until the training texts or a run's ``processor.json`` are read.
        texts: Those of each split.
    """

    links = ("num_classes", "vocab_size", "seq_len")
    items = "texts"
    repeats = 1  # of each training row in an epoch

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
        self.subwords: Subwords | None = None
        self.texts: dict[str, list[str]] = {}

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
        subwords = {"subwords": self.subwords.saved()} if self.subwords else {}
        return {**super().processor(), "vocabulary": self.vocabulary, "unit": self.unit, **subwords}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.vocabulary, self.unit = processor["vocabulary"], processor["unit"]
        self.subwords = Subwords(processor["subwords"]) if "subwords" in processor else None

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        texts = self.read(stage)
        if self.vocabulary is None:
            if "train" not in texts:
                raise UserError("predicting needs a trained run: its processor.json has the vocabulary")
            self.make_vocabulary(texts["train"][0])
        splits: dict[str, tuple[Tensor, ...]] = {}
        cut = 0
        for name, (lines, y) in texts.items():
            self.texts[name] = lines
            rows = self.numbers(lines)
            cut += sum(len(row) > self.seq_len for row in rows)
            self.say_unknown(name, rows)
            x = padded(rows, self.seq_len)
            splits[name] = (x,) if y is None else (x, y)
        if cut:
            whole = sum(len(lines) for lines, _ in texts.values())
            self.facts.append(
                f"{cut:,} of {whole:,} texts are longer than data.seq_len {self.seq_len} {self.unit}s and are cut"
            )
        if "test" in splits:
            splits.setdefault("predict", splits["test"][:1])
        return splits

    def make_vocabulary(self, texts: Sequence[str]) -> None:
        """Makes the vocabulary out of the training texts."""
        if self.unit == "subword":
            self.subwords = Subwords.train(texts, self.vocab_size)
            self.vocabulary = self.subwords.tokens
        else:
            self.vocabulary = build_vocabulary(texts, self.vocab_size, self.unit)

    def numbers(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of the tokens of each text."""
        if self.subwords is not None:
            return self.subwords.encode(texts)
        assert self.vocabulary is not None
        number = {token: i for i, token in enumerate(self.vocabulary)}
        return [[number.get(token, 1) for token in split_text(text, self.unit)] for text in texts]

    def say_unknown(self, split: str, rows: Sequence[Sequence[int]]) -> None:
        """Adds the fraction of unknown tokens to the facts, where it is a hundredth or more."""
        unknown, count = sum(row.count(1) for row in map(list, rows)), sum(map(len, rows))
        if unknown > 0.01 * count:
            self.facts.append(f"{unknown / count:.0%} of the {split} {self.unit}s are not in the vocabulary")

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *rest = batch
        return (x.long(), *rest)

    def counts(self) -> dict[str, int]:
        return {name: n for name, n in super().counts().items() if name != "predict" or "test" not in self.splits}

    def _loader(self, split: str, shuffle: bool = False) -> TensorLoader:
        rank, world = self._rank_and_world()
        cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        size = self.batch_size if shuffle else self.eval_batch_size
        place = {"seed": global_seed(), "rank": rank, "world": world, "pin_memory": cuda}
        return TextLoader(self.splits[split], size, shuffle, self.repeats if shuffle else 1, **place)
