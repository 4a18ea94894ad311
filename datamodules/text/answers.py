"""The base of generated tasks for language models whose answers are exact: only answers are targets.

A row is a prompt and its answer, such as ``3 1 4 =`` and ``4 1 3``. Batches are ``(tokens, targets)``, both (B, T)
int64: the targets are the tokens one place later, and -1 where the next token belongs to the prompt or to padding. Rows
are padded at their end, which changes nothing that a causal model computes before it; padding before a text would
change the state of a recurrent network. A model logs the fraction of right answers (``lit_models/tasks/answers.py``).
"""

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule
from datamodules.text.language_model import PAD
from datamodules.text.tokenizer_files import load_tokenizer
from datamodules.text.tokenizers import CharTokenizer, SpaceTokenizer, Tokenizer, fill

Row = list[tuple[str, bool]]  # tokens, and whether each is part of an answer


class AnswerData(TensorDataModule):
    """Rows of prompts and answers. A subclass supplies ``symbols`` and ``row``.

    Args:
        vocab_size: Entries of the vocabulary; those that the task does not need stay empty.
        seq_len: T, to which rows are padded.
        train_size, val_size, test_size: Rows of each split; no row is in two of them.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.
    """

    links = ("vocab_size", "seq_len")
    input_means = "the ids of a row by the tokenizer in processor.json"
    #: Says that the targets are answers, whose exactness is to be counted.
    answers = True
    tokenizer: Tokenizer

    def __init__(
        self,
        vocab_size: int = 64,
        seq_len: int = 64,
        train_size: int = 10_000,
        val_size: int = 500,
        test_size: int = 1000,
        data_seed: int = 0,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        self.vocab_size, self.seq_len, self.data_seed = vocab_size, seq_len, data_seed
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        symbols = list(self.symbols())
        if len(symbols) + 1 > vocab_size:
            raise UserError(f"data.vocab_size is {vocab_size}: the task has {len(symbols) + 1} tokens; give as many")
        kind = CharTokenizer if all(len(symbol) == 1 for symbol in symbols) else SpaceTokenizer
        self.tokenizer = kind(fill(["<pad>", *symbols], vocab_size), ("<pad>",))

    # -- for the subclass ---------------------------------------------------------------------------------------------

    def symbols(self) -> Sequence[str]:
        """All tokens of the task; called in the constructor, after ``vocab_size`` and ``seq_len`` are set."""
        raise NotImplementedError

    def row(self, draw: random.Random) -> Row:
        """One row."""
        raise NotImplementedError

    # -- tensors ------------------------------------------------------------------------------------------------------

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        draw, total = random.Random(self.data_seed), sum(self.sizes.values())
        found: dict[tuple[Any, ...], None] = {}
        for _ in range(20 * total):
            found.setdefault(tuple(self.row(draw)))
            if len(found) == total:
                break
        else:
            raise UserError(f"the task has fewer than {total} different rows: lower data.train_size")
        rows = list(found)
        draw.shuffle(rows)
        splits: dict[str, tuple[Tensor, ...]] = {}
        start = 0
        for name, size in self.sizes.items():
            splits[name] = self.tensors(rows[start : start + size])
            start += size
        return splits | {"predict": splits["test"]}

    def tensors(self, rows: list[Any]) -> tuple[Tensor, Tensor]:
        """Rows as (tokens, targets), int32, padded to ``seq_len``.

        Raises:
            UserError: A row is longer.
        """
        ids, found = self.tokenizer.ids, []
        for row in rows:
            length = len(row) - 1  # the last token is only a target
            if length > self.seq_len:
                raise UserError(f"data.seq_len is {self.seq_len}: a row has {length} tokens; give as many")
            tokens = [ids[token] for token, _ in row]
            targets = [i if answer else PAD for i, (_, answer) in zip(tokens, row, strict=True)]
            space = self.seq_len - length
            found.append((tokens[:-1] + [0] * space, targets[1:] + [PAD] * space))
        both = torch.tensor(found, dtype=torch.int32)  # (N, 2, T)
        return both[:, 0].contiguous(), both[:, 1].contiguous()

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(t.long() for t in batch)

    # -- generation ---------------------------------------------------------------------------------------------------

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "tokenizer": self.tokenizer.saved(), "seq_len": self.seq_len}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.tokenizer = load_tokenizer(processor["tokenizer"])

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The most frequent answer token of the training split, everywhere."""
        train, test = (self.splits[name][1] for name in ("train", "test"))
        best = train[train != PAD].bincount().argmax()
        right, asked = test == best, test != PAD
        metrics = {
            "test/acc": float(right[asked].float().mean()),
            "test/exact": float((right | ~asked).all(1).float().mean()),
        }
        return {"chance": {"what": "the most frequent token", "metrics": metrics}}


def said(text: Sequence[str], answer: bool = False) -> Row:
    """Tokens of a prompt, or of an answer."""
    return [(token, answer) for token in text]
