"""Sentences whose words have tags, as BERT reads them: a word's first sub-word has its tag, the others -100."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError, note
from datamodules.text.bert_rows import IGNORED, BertRows

Sentence = tuple[list[str], list[str]]  # words and their tags; none where they are to be found


class TaggedText(BertRows):
    """Rows x (B, T) int64 and tags y (B, T), -100 where none counts. A subclass supplies ``read``: sentences by split.

    A sentence that is too long is cut after the last word that has room.

    Args:
        num_classes: Of tags; linked to the model's argument of the same name.
        token_dropout: Fraction of the training tokens that become unknown, each time other ones: a name is then known
            by the words around it too, as a new one must be.
        **rows: See ``BertRows``.

    Attributes:
        tagged_words: The words of each sentence of each split that have room.
    """

    links = ("num_classes", "vocab_size", "sep_id", "max_length")
    input_means = "[CLS] words [SEP], ids of the tokenizer in processor.json, then 0"
    items = "sentences"

    def __init__(self, num_classes: int = 9, token_dropout: float = 0.0, **rows: Any) -> None:
        super().__init__(**rows)
        if not 0 <= token_dropout < 1:
            raise UserError(f"data.token_dropout is {token_dropout}: give a fraction below 1")
        self.num_classes, self.token_dropout = num_classes, token_dropout
        self.tagged_words: dict[str, list[list[str]]] = {}

    def read(self, stage: str) -> dict[str, list[Sentence]]:
        """Sentences of train, val and test; for the stage predict, without tags."""
        raise NotImplementedError

    def training_texts(self, found: list[Sentence]) -> Iterable[str]:
        return (" ".join(words) for words, _ in found)

    def rows(self, name: str, found: list[Sentence]) -> tuple[Tensor, ...]:
        assert self.tokenizer is not None
        number = {tag: i for i, tag in enumerate(self.class_names or ())}
        (cls, sep), self.tagged_words[name] = self.ends(), []
        rows, tags, cut = [], [], 0
        for words, names in found:
            row, marks, kept = [cls], [IGNORED], []
            for i, word in enumerate(words):
                pieces = self.tokenizer.encode(word) or [self.tokenizer.unk_id]
                if len(row) + len(pieces) >= self.seq_len:
                    cut += 1
                    break
                row += pieces
                marks += [number[names[i]] if names else IGNORED] + [IGNORED] * (len(pieces) - 1)
                kept.append(word)
            rows.append(torch.tensor([*row, sep], dtype=torch.int32))
            tags.append(torch.tensor([*marks, IGNORED]))
            self.tagged_words[name].append(kept)
        if cut:
            note(f"{cut} of {len(rows)} sentences are longer than data.seq_len, {self.seq_len} tokens: cut at the end")
        x = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        if name == "predict":
            return (x,)
        return x, torch.nn.utils.rnn.pad_sequence(tags, batch_first=True, padding_value=IGNORED)

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *rest = super().transform(batch)
        return (x, *(tags[:, : x.shape[1]] for tags in rest))

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if not self.token_dropout:
            return batch
        assert self.tokenizer is not None
        x, tags = batch
        dropped = (torch.rand(x.shape, device=x.device) < self.token_dropout) & (x != 0)
        for end in self.ends():
            dropped &= x != end
        return x.masked_fill(dropped, self.tokenizer.unk_id), tags

    def class_counts(self) -> dict[str, int]:
        return {}

    def decode_target(self, tags: Tensor) -> list[str]:
        """Predicted tags (N, T) of the predict split's tokens as ``word/tag`` of its words."""
        assert self.tokenizer is not None and self.class_names is not None
        lines = []
        for words, row in zip(
            self.tagged_words.get("predict") or self.tagged_words["test"], tags.tolist(), strict=False
        ):
            place, parts = 1, []
            for word in words:
                parts.append(f"{word}/{self.class_names[row[place]]}")
                place += len(self.tokenizer.encode(word)) or 1
            lines.append(" ".join(parts))
        return lines

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The most frequent tag of the training words: no span is found."""
        y, test = self.splits["train"][1], self.splits["test"][1]
        counts = torch.bincount(y[y != IGNORED], minlength=self.num_classes)
        right = float((test[test != IGNORED] == counts.argmax()).double().mean())
        return {"chance": {"what": "the most frequent tag", "metrics": {"test/acc": right, "test/f1": 0.0}}}


def tag_names(sentences: Sequence[Sentence]) -> list[str]:
    """All tags, ``O`` first, the others in alphabetical order.

    Raises:
        UserError: There is only one.
    """
    names = sorted({tag for _, tags in sentences for tag in tags} - {"O"})
    if not names:
        raise UserError("every tag is O: there are no names to learn")
    return ["O", *names]
