"""Instructions whose answers are exact: sort digits, reverse them, name the largest. And plain documents of the same.

    sort:3142=1234                                       a document, from which the start learns the operations
    <user>sort:3142<end><assistant>1234<end>             a conversation, of which there are fewer

No digits with their operation are in two of the parts.
"""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.text.chat_template import turn
from datamodules.text.conversations import DIGITS, Conversations
from datamodules.text.language_model import PAD

OPERATIONS: dict[str, Callable[[str], str]] = {
    "sort": lambda digits: "".join(sorted(digits)),
    "reverse": lambda digits: digits[::-1],
    "largest": max,
}


class Instructions(Conversations):
    """Conversations of one question and its answer.

    Args:
        shortest, longest: Digits of a question.
        train_size, val_size, test_size: Conversations of each split.
        document_size: Documents.
        vocab_size, seq_len: See ``Conversations``.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: There are fewer questions than are asked for.
    """

    def __init__(
        self,
        shortest: int = 3,
        longest: int = 4,
        train_size: int = 3000,
        val_size: int = 200,
        test_size: int = 500,
        document_size: int = 6_000,
        vocab_size: int = 32,
        seq_len: int = 16,
        **loader: Any,
    ) -> None:
        super().__init__(vocab_size, seq_len, **loader)
        self.lengths = (shortest, longest)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size, "documents": document_size}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        self.learn_words([":=\n", *DIGITS, *OPERATIONS])
        parts = self.parts()
        self.demonstrations = self.documents(parts.pop("documents"))
        splits = {name: self.tensors([turn(*pair) for pair in pairs]) for name, pairs in parts.items()}
        return {**splits, "predict": splits["test"]}

    def parts(self) -> dict[str, list[tuple[str, str]]]:
        """Questions and answers of each part."""
        draw, total = random.Random(0), sum(self.sizes.values())
        found: dict[str, str] = {}
        for _ in range(50 * total):
            name = draw.choice(list(OPERATIONS))
            digits = "".join(draw.choice(DIGITS) for _ in range(draw.randint(*self.lengths)))
            found[f"{name}:{digits}"] = OPERATIONS[name](digits)
            if len(found) == total:
                break
        else:
            raise UserError(f"there are fewer than {total} questions: lower data.document_size or data.train_size")
        pairs, parts, start = list(found.items()), {}, 0
        for name, size in self.sizes.items():
            parts[name] = pairs[start : start + size]
            start += size
        return parts

    def documents(self, pairs: list[tuple[str, str]]) -> tuple[Tensor, Tensor]:
        """Documents as tokens and targets (N, T): all of a text is learned."""
        assert self.tokenizer is not None
        rows = torch.full((len(pairs), 2, self.seq_len), PAD, dtype=torch.int32)
        rows[:, 0] = 0
        for row, (question, answer) in zip(rows, pairs, strict=True):
            ids = self.tokenizer.encode(f"{question}={answer}\n")
            row[0, : len(ids) - 1], row[1, : len(ids) - 1] = torch.tensor(ids[:-1]), torch.tensor(ids[1:])
        return rows[:, 0].contiguous(), rows[:, 1].contiguous()
