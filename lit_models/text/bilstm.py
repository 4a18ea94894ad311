"""A bidirectional LSTM over texts of different lengths: the state after the last word, not after the padding.

Schuster and Paliwal 1997, "Bidirectional recurrent neural networks"; Graves and Schmidhuber 2005. D2L 16.2.
Departs from the book: its network reads padding as if it were words, so that a text's class depends on how long the
others in its batch are, and the backward direction begins with padding. Here each text is read by its length: the
backward direction reads it turned around in place (``reverse_texts``), and the last state is that of the last word.
``torch.nn.utils.rnn.pack_padded_sequence`` gives the same numbers (PARITY.md) but sorts, copies to the host, and cannot
be exported.

    dive fit text/bilstm                                              opinions with negation and concession, offline
    dive fit text/bilstm --data TextTable --data.path FILE.csv        your own texts

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import trains
from lit_models.text.text_cnn import load_vectors


def reverse_texts(x: Tensor, length: Tensor) -> Tensor:
    """Each text turned around, its padding left at the end: x (B, T, D), length (B,) -> (B, T, D)."""
    place = torch.arange(x.shape[1], device=x.device)
    mirrored = length[:, None] - 1 - place  # (B, T), negative on padding
    source = torch.where(mirrored >= 0, mirrored, place)
    return x.gather(1, source[..., None].expand_as(x))


class BiLSTMLayer(nn.Module):
    """Both directions: x (B, T, D), length (B,) -> (B, T, 2 H); what it gives for padding has no meaning.

    Args:
        input_size: D.
        hidden_size: H.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.onward = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.backward_ = nn.LSTM(input_size, hidden_size, batch_first=True)

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        onward, _ = self.onward(x)  # padding comes after the words: it changes none of their states
        backward, _ = self.backward_(reverse_texts(x, length))
        return torch.cat([onward, reverse_texts(backward, length)], 2)


class BiLSTM(nn.Module):
    """tokens (B, T) -> logits (B, num_classes), from the outputs at the first and the last word, as the book.

    Args:
        vocab_size: Number of tokens.
        num_classes: Number of logits.
        embed_size: Length of an embedding.
        hidden_size: Features of each direction.
        num_layers: Layers; without one a text is the mean of its embeddings: a bag of words.
        dropout: Fraction of the embeddings and of each layer's outputs that is dropped.
        pad_id: The token that fills up texts, at their end.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        embed_size: int = 100,
        hidden_size: int = 100,
        num_layers: int = 2,
        dropout: float = 0.0,
        pad_id: int = 0,
    ) -> None:
        super().__init__()
        self.pad_id = pad_id
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)
        widths = [embed_size] + [2 * hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(BiLSTMLayer(width, hidden_size) for width in widths[:num_layers])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4 * hidden_size if num_layers else embed_size, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        length = (tokens != self.pad_id).sum(1).clamp(min=1)  # (B,)
        x = self.dropout(self.embedding(tokens))  # (B, T, E)
        if not self.layers:
            return self.head(x.sum(1) / length[:, None])  # padding's embedding is zero
        for layer in self.layers:
            x = self.dropout(layer(x, length))  # (B, T, 2 H)
        last = x.gather(1, (length - 1)[:, None, None].expand(-1, 1, x.shape[2]))[:, 0]
        return self.head(torch.cat([x[:, 0], last], 1))


@trains(BiLSTM)
class LitBiLSTM(Classifier):
    """``BiLSTM`` trained as a classifier of tokens x (B, seq_len).

    Args:
        seq_len: Length of the rows, for ``example_input`` alone.
        vectors: A file of pretrained word vectors, as the book's GloVe: see ``LitTextCNN``.
        **task: See ``Classifier``.
    """

    def __init__(self, seq_len: int = 50, vectors: str = "", **task: Any) -> None:
        super().__init__(**task)
        self.vectors = vectors

    def setup(self, stage: str) -> None:
        """Fills the table from ``vectors``, by the words of ``datamodule.vocabulary``, before training begins."""
        vocabulary: list[str] | None = self.data_attribute("vocabulary")
        if stage == "fit" and self.vectors and vocabulary:
            net: Any = self.net
            load_vectors(self.vectors, vocabulary, net.embedding.weight)
