"""Decomposable attention: does a sentence follow from another? Each word is compared with its counterpart.

Parikh et al. 2016, "A decomposable attention model for natural language inference". D2L 16.4 and 16.5.
Three steps: *attend*, a soft alignment of each word with the words of the other sentence; *compare* a word with what it
was aligned with; *aggregate*, the sums over the words of each sentence, and a class. No order, no recurrence: 380
thousand parameters in the paper, a tenth of an LSTM's.
Departs from the book: its softmax runs over padding too and its sums count the comparisons of padding, so that an
answer depends on the other pairs of the batch. Here both are masked. Departs from the paper: no NULL token, no
projection of fixed embeddings; the scores are divided by the root of the features and weights are He's, so that from
the start a word is aligned with itself, if it is there: with torch's weights the alignment is uniform for thousands of
steps.

    dive fit text/decomposable_attention                                     entailment by rule, offline
    dive fit text/decomposable_attention --data BertTable --data.path FILE.csv --data.second other     your own pairs

The numbers it reaches are in RESULTS.md.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.layers.attention import masked_softmax
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import trains


def two_layers(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    """The paper's feed-forward networks F, G and H: two layers with ReLU, dropout before each."""
    first = nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs, outputs), nn.ReLU())
    layers = nn.Sequential(*first, nn.Dropout(dropout), nn.Linear(outputs, outputs), nn.ReLU())
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return layers


class DecomposableAttention(nn.Module):
    """tokens (B, T), ``[CLS] a [SEP] b [SEP]`` and padding -> logits (B, num_classes).

    Args:
        vocab_size: Number of tokens.
        num_classes: Number of logits.
        embed_size: Length E of an embedding.
        hidden_size: Features H of the three networks.
        dropout: Before each of their layers.
        aligned: False: each word is compared with the plain mean of the other sentence, nothing is attended to.
        pad_id, sep_id: Ids of padding, at the end of a pair, and of the token that ends a sentence.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        embed_size: int = 100,
        hidden_size: int = 200,
        dropout: float = 0.2,
        aligned: bool = True,
        pad_id: int = 0,
        sep_id: int = 3,
    ) -> None:
        super().__init__()
        self.aligned, self.pad_id, self.sep_id = aligned, pad_id, sep_id
        self.need_weights = False
        self.weights: Tensor | None = None  # (B, 1, T, T) of the last call, if they are needed
        self.embedding = nn.Embedding(vocab_size, embed_size, padding_idx=pad_id)
        self.attend = two_layers(embed_size, hidden_size, dropout)
        self.compare = two_layers(2 * embed_size, hidden_size, dropout)
        self.aggregate = two_layers(2 * hidden_size, hidden_size, dropout)
        self.head = nn.Linear(hidden_size, num_classes)

    def sides(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Which tokens (B, T) are words of the first sentence, and which of the second."""
        ends = (tokens == self.sep_id).long()
        word = (tokens != self.pad_id) & (ends == 0)
        after = ends.cumsum(1)
        first = word & (after == 0)
        first = first & (torch.arange(tokens.shape[1], device=tokens.device) > 0)  # not [CLS]
        return first, word & (after == 1)

    def forward(self, tokens: Tensor) -> Tensor:
        first, second = self.sides(tokens)
        x = self.embedding(tokens)  # (B, T, E)
        other = (first[:, :, None] & second[:, None]) | (second[:, :, None] & first[:, None])  # (B, T, T)
        features = self.attend(x)
        scores = features @ features.transpose(1, 2)  # e_ij = F(a_i) . F(b_j), and its transpose for b
        scores = scores / math.sqrt(features.shape[2])
        weights = masked_softmax(scores if self.aligned else torch.zeros_like(scores), other)
        if self.need_weights:
            self.weights = weights[:, None]
        compared = self.compare(torch.cat([x, weights @ x], 2))  # (B, T, H)
        sums = [(compared * side[..., None]).sum(1) for side in (first, second)]
        return self.head(self.aggregate(torch.cat(sums, 1)))


@trains(DecomposableAttention)
class LitDecomposableAttention(Classifier):
    """``DecomposableAttention`` trained as a classifier of pairs, tokens (B, seq_len).

    Args:
        seq_len: Length of the rows, for ``example_input`` alone.
        **task: See ``Classifier``.
    """

    def __init__(self, seq_len: int = 32, **task: Any) -> None:
        super().__init__(**task)

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if getattr(getattr(self.trainer, "datamodule", None), "second", None) == "":  # of a table
            raise UserError("a row of the data has one text, and this network compares two: give --data.second COLUMN")
