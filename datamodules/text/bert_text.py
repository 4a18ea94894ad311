"""Texts, or pairs of texts, as BERT reads them: ``[CLS] a [SEP]`` or ``[CLS] a [SEP] b [SEP]``, with a class each.

Texts that are too long are cut, a pair at the end of its longer text; none is dropped.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from common.messages import note
from datamodules.text.bert_rows import BertRows

Texts = tuple[Sequence[str], Sequence[str] | None, Tensor | None]  # first texts, second texts, targets (N,)


class BertText(BertRows):
    """Rows x (B, T) int64 and classes y (B,). A subclass supplies ``read``.

    Args:
        num_classes: Linked to the model's argument of the same name.
        **rows: See ``BertRows``.

    Attributes:
        texts: The first texts of each split.
    """

    links = ("num_classes", "vocab_size", "sep_id", "max_length")
    input_means = "[CLS] text [SEP], or [CLS] text [SEP] text [SEP], ids of the tokenizer in processor.json, then 0"

    def __init__(self, num_classes: int = 2, **rows: Any) -> None:
        super().__init__(**rows)
        self.num_classes = num_classes
        self.texts: dict[str, list[str]] = {}

    def read(self, stage: str) -> dict[str, Texts]:
        """The texts and classes of train, val and test; for the stage predict, texts without classes."""
        raise NotImplementedError

    def training_texts(self, found: Texts) -> Iterable[str]:
        return [*found[0], *(found[1] or [])]

    def rows(self, name: str, found: Texts) -> tuple[Tensor, ...]:
        first, second, y = found
        self.texts[name] = list(first)
        x = self.encode_texts(first, second)
        return (x,) if y is None else (x, y)

    def encode_texts(self, first: Sequence[str], second: Sequence[str] | None = None) -> Tensor:
        """Texts, or pairs of them, as rows (N, T) int32, T the longest, padded with 0."""
        assert self.tokenizer is not None
        cls, sep = self.ends()
        rows, cut = [], 0
        for i, text in enumerate(first):
            parts = [self.tokenizer.encode(text)] + ([self.tokenizer.encode(second[i])] if second else [])
            cut += shorten(parts, self.seq_len - 1 - len(parts))
            rows.append(torch.tensor([cls, *(token for part in parts for token in [*part, sep])], dtype=torch.int32))
        if cut:
            note(f"{cut} of {len(rows)} texts are longer than data.seq_len, {self.seq_len} tokens: cut at the end")
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The most frequent class of the training texts."""
        y, test = self.splits["train"][-1], self.splits["test"][-1]
        shares = torch.bincount(y, minlength=self.num_classes) / len(y)
        right = float((test == shares.argmax()).double().mean())
        loss = float(-shares[test].clamp(min=1e-12).log().mean())
        return {"chance": {"what": "the shares of the classes", "metrics": {"test/acc": right, "test/loss": loss}}}


def shorten(parts: list[list[int]], room: int) -> bool:
    """Takes tokens from the end of the longer text until all have room; whether any was taken."""
    cut = False
    while sum(map(len, parts)) > room:
        max(parts, key=len).pop()
        cut = True
    return cut
