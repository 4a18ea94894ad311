"""Documents cut into sentences, for networks that say which of them make a summary.

A row is ``[CLS] sentence [SEP] [CLS] sentence [SEP] ...`` (Liu and Lapata 2019, BertSum), with the number of its first
sentence in its split, by which the model finds the sentences and the true summaries. Sentences that do not fit into a
row are left out.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError, note
from datamodules.summaries.documents import Document
from datamodules.summaries.words import sentences
from datamodules.text.bert_rows import BertRows


class ExtractRows(BertRows):
    """Rows tokens (B, T) and the number of each document's first sentence (B,), both int64. A subclass has ``read``.

    Args:
        vocab_size, sep_id, max_length, seq_len, tokenizer, buckets: See ``BertRows``.
        **loader: See ``TensorDataModule``.

    Attributes:
        document_sentences: The sentences of a split, one document after the other.
        reference_sets: The true summaries of each document of a split.
    """

    english = False
    sentences = staticmethod(sentences)
    input_means = "[CLS] sentence [SEP] [CLS] sentence [SEP] ..., ids of the tokenizer in processor.json, then 0"

    def __init__(
        self,
        vocab_size: int = 2000,
        sep_id: int = 3,
        max_length: int = 512,
        seq_len: int = 512,
        tokenizer: str = "",
        buckets: bool = True,
        **loader: Any,
    ) -> None:
        super().__init__(vocab_size, sep_id, max_length, seq_len, tokenizer, buckets, **loader)
        self.document_sentences: dict[str, list[str]] = {}
        self.reference_sets: dict[str, list[list[str]]] = {}

    def read(self, stage: str) -> dict[str, list[Document]]:
        """The documents of train, val and test; for the stage predict, those to be summarized."""
        raise NotImplementedError

    def training_texts(self, found: list[Document]) -> Iterable[str]:
        return [sentence for document in found for sentence in document.sentences]

    def rows(self, name: str, found: list[Document]) -> tuple[Tensor, ...]:
        if not found:
            raise UserError(f"the {name} split of {type(self).__name__} is empty: give it more documents")
        self.document_sentences[name] = [sentence for document in found for sentence in document.sentences]
        self.reference_sets[name] = [list(document.summaries) for document in found]
        counts = torch.tensor([len(document.sentences) for document in found])
        return self.encode_documents([document.sentences for document in found]), counts.cumsum(0) - counts

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits = super().load(stage)
        if "predict" in splits and "test" in splits:
            splits["predict"] = splits["test"]
            self.document_sentences["predict"] = self.document_sentences["test"]
        return splits

    def encode_documents(self, found: Sequence[Sequence[str]]) -> Tensor:
        """The sentences of documents as rows (N, T) int32, T the longest, padded with 0."""
        assert self.tokenizer is not None
        cls, sep = self.ends()
        rows, cut = [], 0
        for document in found:
            row: list[int] = []
            for sentence in document:
                words = self.tokenizer.encode(sentence)
                ids = [cls, *(i for i in words if i != sep), sep]  # a written [SEP] would begin a sentence
                if row and len(row) + len(ids) > self.seq_len:
                    cut += 1
                    break
                row += [*ids[: self.seq_len - 1], sep] if len(ids) > self.seq_len else ids
            rows.append(torch.tensor(row, dtype=torch.int32))
        if cut:
            note(f"{cut} of {len(rows)} documents are longer than data.seq_len, {self.seq_len} tokens: cut at the end")
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def baselines(self) -> dict[str, dict[str, Any]]:
        """None here: a test shows the first sentences, TextRank's and the oracle's beside the model's."""
        return {}

    def decode_target(self, numbers: Tensor) -> list[str]:
        """The summaries of chosen sentences (B, K), by their numbers in the split to predict, -1 for none."""
        every = self.document_sentences["predict"]
        return [" ".join(every[i].strip() for i in row if i >= 0) for row in numbers.tolist()]
