"""Pairs of answers, of which one is preferred. Batches: chosen tokens and targets, rejected ones, each (B, T).

``Preferences`` plants them: both answers sort the digits of the question, upwards or downwards, and upwards is
preferred. The start has learned both, half of the time each, so that only the preferences can tell it which.
"""

import random
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from common.messages import UserError
from datamodules.text.chat_template import Message, turn
from datamodules.text.conversations import DIGITS, Conversations

Pair = tuple[Sequence[Message], Sequence[Message]]  # chosen, rejected


class PreferenceData(Conversations):
    """The base of pairs.

    Args:
        vocab_size, seq_len: See ``Conversations``.
        **loader: See ``TensorDataModule``.
    """

    items = "pairs"

    def pair_tensors(self, pairs: Sequence[Pair], where: str = "pair") -> tuple[Tensor, ...]:
        """Chosen tokens and targets, rejected tokens and targets, each (N, T)."""
        chosen, rejected = ([pair[i] for pair in pairs] for i in (0, 1))
        given = [len(common(one, other)) for one, other in pairs]  # a prompt may have earlier answers
        return (*self.tensors(chosen, where, given), *self.tensors(rejected, where, given))


def common(one: Sequence[Message], other: Sequence[Message]) -> Sequence[Message]:
    """The messages with which two conversations begin alike, without their last ones."""
    most = min(len(one), len(other)) - 1
    return one[: next((k for k in range(most) if one[k] != other[k]), most)]


class Preferences(PreferenceData):
    """Planted preferences.

    Args:
        length: Digits of a question, all different.
        flipped: Fraction of training pairs that are turned around: people are not always of one opinion.
        train_size, val_size, test_size: Pairs of each split.
        demonstration_size: Questions with an answer for the start.
        vocab_size, seq_len: See ``Conversations``.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: ``flipped`` is no fraction, or there are fewer questions.
    """

    def __init__(
        self,
        length: int = 4,
        flipped: float = 0.1,
        train_size: int = 1000,
        val_size: int = 200,
        test_size: int = 500,
        demonstration_size: int = 3000,
        vocab_size: int = 32,
        seq_len: int = 16,
        **loader: Any,
    ) -> None:
        super().__init__(vocab_size, seq_len, **loader)
        if not 0 <= flipped <= 1:
            raise UserError(f"data.flipped is {flipped}: give a fraction of the pairs, 0 to 1")
        if not 2 <= length <= 9:
            raise UserError(f"data.length is {length}: give 2 to 9 different digits")
        self.length, self.flipped = length, flipped
        self.sizes = {"train": train_size, "val": val_size, "test": test_size, "start": demonstration_size}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        self.learn_words([":", "sort", *DIGITS])
        draw, total = random.Random(0), sum(self.sizes.values())
        found: dict[str, None] = {}
        for _ in range(50 * total):
            found.setdefault("".join(draw.sample(DIGITS, self.length)))
            if len(found) == total:
                break
        else:
            raise UserError(f"there are fewer than {total} questions: lower data.train_size or raise data.length")
        questions, splits, start = list(found), {}, 0
        for name, size in self.sizes.items():
            part = questions[start : start + size]
            start += size
            up = [turn(f"sort:{q}", "".join(sorted(q))) for q in part]
            down = [turn(f"sort:{q}", "".join(sorted(q, reverse=True))) for q in part]
            if name == "start":
                self.demonstrations = self.tensors([draw.choice(both) for both in zip(up, down, strict=True)])
                continue
            pairs = list(zip(up, down, strict=True))
            if name == "train":
                pairs = [pair[::-1] if draw.random() < self.flipped else pair for pair in pairs]
            splits[name] = self.pair_tensors(pairs)
        return {**splits, "predict": splits["test"]}
