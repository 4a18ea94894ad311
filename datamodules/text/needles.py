"""Needles in a haystack: marked tokens among noise, and questions about them at the end.

    w3 w8 b4 w1 w1 a2 w5 ... ?a a2 ?b b4

A row has one needle of each kind (a, b, ...), whose number is drawn anew for each row: nothing can be known by heart.
Training and validation have rows of up to ``seq_len`` tokens (the short ones are learned first); the test has rows of
that length, twice, four times ... as many up to ``test_len``.
"""

import random
from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

from torch import Tensor

from common.messages import UserError
from datamodules.text.answers import AnswerData, Row, said


class Needles(AnswerData):
    """Needles ``a0``, ``a1``, ... ``b0`` ..., questions ``?a`` ..., noise ``w0`` ....

    Args:
        kinds: Needles of a row, one of each kind.
        values: Number of different needles of a kind.
        noise: Number of different tokens of noise.
        test_len: T of the longest rows of the test.
        vocab_size, seq_len: See ``AnswerData``.
        train_size, val_size, test_size: See ``AnswerData``.
        **answers: See ``AnswerData``.
    """

    links = ("vocab_size", "seq_len", "test_len")  # type: ignore[assignment]

    def __init__(
        self,
        kinds: int = 4,
        values: int = 8,
        noise: int = 16,
        test_len: int = 1024,
        vocab_size: int = 53,
        seq_len: int = 128,
        train_size: int = 4000,
        val_size: int = 200,
        test_size: int = 400,
        **answers: Any,
    ) -> None:
        if not 1 <= kinds <= len(ascii_lowercase) - 4:
            raise UserError(f"data.kinds is {kinds}: give 1 to {len(ascii_lowercase) - 4}")
        if 3 * kinds > seq_len:
            raise UserError(f"data.seq_len is {seq_len}: {kinds} needles and their questions need {3 * kinds} tokens")
        if test_len < seq_len:
            raise UserError(f"data.test_len is {test_len}: give at least data.seq_len, which is {seq_len}")
        self.kinds, self.values, self.noise, self.test_len = ascii_lowercase[:kinds], values, noise, test_len
        super().__init__(vocab_size, seq_len, train_size, val_size, test_size, **answers)

    def symbols(self) -> Sequence[str]:
        needles = [f"{kind}{i}" for kind in self.kinds for i in range(self.values)]
        return [*needles, *(f"?{kind}" for kind in self.kinds), *(f"w{i}" for i in range(self.noise))]

    def row(self, draw: random.Random, length: int = 0) -> Row:
        """A row of ``length`` + 1 tokens, the last of which is an answer; 0 means any length up to ``seq_len``."""
        least = 3 * len(self.kinds)
        length = length or draw.randint(least, draw.randint(least, self.seq_len))  # more short rows than long ones
        before = length + 1 - 2 * len(self.kinds)  # tokens before the questions
        tokens = draw.choices([f"w{i}" for i in range(self.noise)], k=before)
        needle = {kind: f"{kind}{draw.randrange(self.values)}" for kind in self.kinds}
        for kind, place in zip(self.kinds, draw.sample(range(before), len(self.kinds)), strict=True):
            tokens[place] = needle[kind]
        row = said(tokens)
        for kind in draw.sample(self.kinds, len(self.kinds)):
            row += said([f"?{kind}"]) + said([needle[kind]], answer=True)
        return row

    def lengths(self) -> list[int]:
        """The lengths of the test's rows."""
        found = [self.seq_len]
        while 2 * found[-1] <= self.test_len:
            found.append(2 * found[-1])
        return found

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits = super().load(stage)
        draw, lengths, short = random.Random(self.data_seed + 1), self.lengths(), self.seq_len
        rows = [self.row(draw, lengths[n % len(lengths)]) for n in range(self.sizes["test"])]
        self.seq_len = lengths[-1]
        splits["test"] = splits["predict"] = self.tensors(rows)
        self.seq_len = short
        return splits

    def baselines(self) -> dict[str, dict[str, Any]]:
        """A needle of the right kind, at random."""
        acc = 1 / self.values
        return {
            "chance": {
                "what": "any needle of the kind",
                "metrics": {"test/acc": acc, "test/exact": acc ** len(self.kinds)},
            }
        }
