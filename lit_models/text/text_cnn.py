"""TextCNN: short windows of words, and for each feature the window where it is strongest.

Kim 2014, "Convolutional neural networks for sentence classification"; Collobert et al. 2011 for max-over-time pooling.
D2L 16.3, whose "max-over-time" is ``AdaptiveAvgPool1d``, a mean over padding too (``pooling="mean"`` gives a mean that
leaves padding out).
Departs from the paper: windows may reach over both ends of a text (a wide convolution), so that a text shorter than a
window has some; dropout and weight decay without the paper's bound on the last layer's norm. Padding is ignored:
windows with only padding are left out of the maximum, and the output does not depend on the amount of padding.

    dive fit text/text_cnn                 which language is this name from, offline
    dive fit text/text_cnn_rt_polarity     film reviews, favorable or not
    dive fit text/text_cnn --data TextTable --data.path FILE.csv      your own texts

The numbers they reach are in RESULTS.md.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.layers.vector_files import read_vectors
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import trains


class TextCNN(nn.Module):
    """Embeddings, convolutions of several widths over time, their maxima, one dense layer. (B, T) -> (B, num_classes).

    Args:
        vocab_size: Number of tokens.
        num_classes: Number of logits.
        embed_size: Length of an embedding.
        kernel_sizes: Widths of the windows, in tokens.
        num_channels: Features of each width.
        dropout: Share of the pooled features that is dropped.
        frozen: A second table of embeddings that is not trained, beside the first (the paper's CNN-multichannel).
        pooling: ``max`` over the windows of a text, or their ``mean``.
        pad_id: The token that fills up texts, at their end.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        embed_size: int = 100,
        kernel_sizes: Sequence[int] = (3, 4, 5),
        num_channels: int = 100,
        dropout: float = 0.5,
        frozen: bool = False,
        pooling: Literal["max", "mean"] = "max",
        pad_id: int = 0,
    ) -> None:
        super().__init__()
        self.kernel_sizes, self.pooling, self.pad_id = tuple(kernel_sizes), pooling, pad_id
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)
        self.frozen = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id) if frozen else None
        if self.frozen is not None:
            self.frozen.requires_grad_(False)
        for table in filter(None, (self.embedding, self.frozen)):
            nn.init.uniform_(table.weight, -0.25, 0.25)  # the author's; torch's N(0, 1) learns texts by heart sooner
            nn.init.zeros_(table.weight[pad_id])
        inputs = embed_size * (1 + frozen)
        self.convs = nn.ModuleList(nn.Conv1d(inputs, num_channels, k, padding=k - 1) for k in kernel_sizes)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(num_channels * len(kernel_sizes), num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        length = (tokens != self.pad_id).sum(1).clamp(min=1)  # (B,)
        tables = [self.embedding] if self.frozen is None else [self.embedding, self.frozen]
        x = torch.cat([table(tokens) for table in tables], dim=2).transpose(1, 2)  # (B, E, T)
        pooled = [
            self._pool(torch.relu(conv(x)), length + size - 1)
            for conv, size in zip(self.convs, self.kernel_sizes, strict=True)
        ]
        return self.head(self.dropout(torch.cat(pooled, dim=1)))

    def _pool(self, features: Tensor, windows: Tensor) -> Tensor:
        """Features (B, C, T + k - 1) over the first ``windows`` (B,) positions, those that hold a token -> (B, C)."""
        outside = torch.arange(features.shape[2], device=features.device) >= windows[:, None, None]  # (B, 1, T + k - 1)
        if self.pooling == "mean":
            return features.masked_fill(outside, 0).sum(2) / windows[:, None]
        return features.masked_fill(outside, -torch.inf).amax(2)


@trains(TextCNN)
class LitTextCNN(Classifier):
    """``TextCNN`` trained as a classifier of tokens x (B, seq_len).

    Args:
        seq_len: Length of the rows, for ``example_input`` alone.
        vectors: A file of pretrained word vectors as GloVe's, or word2vec's in text or binary, also compressed by gzip,
            from which every table takes the words of the vocabulary; other words keep their random start.
        **task: See ``Classifier``.
    """

    def __init__(self, seq_len: int = 50, vectors: str = "", **task: Any) -> None:
        super().__init__(**task)
        self.vectors = vectors

    def setup(self, stage: str) -> None:
        """Fills the tables from ``vectors``, by the words of ``datamodule.vocabulary``, before training begins."""
        vocabulary: list[str] | None = self.data_attribute("vocabulary")
        if stage == "fit" and self.vectors and vocabulary:
            tables: Any = [self.net.embedding, self.net.frozen]
            for table in filter(None, tables):
                load_vectors(self.vectors, vocabulary, table.weight)


def load_vectors(path: str, vocabulary: Sequence[str], table: Tensor) -> int:
    """Copies the vectors of known words into rows of ``table`` (V, E); returns how many were found.

    Raises:
        UserError: No such file, or one that is damaged; vectors of another length; no word of the vocabulary among
            them.
    """
    if not Path(path).is_file():
        raise UserError(f"no file {path}: give --model.vectors a file of word vectors such as GloVe's")
    number = {word: i for i, word in enumerate(vocabulary)}
    words, vectors = read_vectors(path, only=number)
    if vectors.shape[1] != table.shape[1]:
        raise UserError(f"{path}: vectors of {vectors.shape[1]} numbers, but model.embed_size is {table.shape[1]}")
    if not words:
        raise UserError(f"{path} has no word of the vocabulary")
    with torch.no_grad():
        for word, vector in zip(words, vectors, strict=True):
            table[number[word]] = vector
    return len(words)
