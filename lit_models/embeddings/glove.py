"""GloVe: vectors whose dot products are the logarithms of how often two words are neighbors.

Pennington et al. 2014, "GloVe: global vectors for word representation". D2L 15.5, which has no code.

    dive fit embeddings/glove           a text with known answers, offline

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lit_models.layers.precision import at_least_float32
from lit_models.tasks.trains import trains
from lit_models.tasks.word_vectors import WordVectors


class GloVe(nn.Module):
    """Words (P, 1) and neighbors (P, K) -> w_i . v_j + b_i + c_j (P, K).

    A word's vector is the sum of its two, as in the paper (4.2).

    Args:
        vocab_size: V, number of words.
        embed_size: E, length of a vector.
    """

    gathered_at_once, forward_methods = True, ("vectors",)  # for sharded weights: tables are used without being called

    def __init__(self, vocab_size: int, embed_size: int = 100) -> None:
        super().__init__()
        self.word, self.context = nn.Embedding(vocab_size, embed_size), nn.Embedding(vocab_size, embed_size)
        self.word_bias, self.context_bias = nn.Embedding(vocab_size, 1), nn.Embedding(vocab_size, 1)
        for table in (self.word, self.context, self.word_bias, self.context_bias):
            nn.init.uniform_(table.weight, -0.5 / embed_size, 0.5 / embed_size)  # as the authors' program

    def vectors(self) -> Tensor:
        """The vector of each word (V, E)."""
        return self.word.weight + self.context.weight

    def forward(self, words: Tensor, neighbors: Tensor) -> Tensor:
        dots = torch.einsum("pe,pke->pk", self.word(words[:, 0]), self.context(neighbors))
        return dots + self.word_bias(words[:, 0]) + self.context_bias(neighbors)[..., 0]


@trains(GloVe)
class LitGloVe(WordVectors):
    """GloVe trained by weighted least squares. Batch: row (P,), column (P,), count (P,).

    Args:
        cutoff: x_max of the paper: from this count on, a pair has weight 1.
        power: alpha of the paper: a smaller count x has weight (x / cutoff) ** power.
        **task: See ``Task``.
    """

    def __init__(self, cutoff: float = 100.0, power: float = 0.75, **task: Any) -> None:
        super().__init__(**task)
        self.cutoff, self.power = cutoff, power

    def weight(self, count: Tensor) -> Tensor:
        """f of the paper, equation 9."""
        return (count / self.cutoff).clamp(max=1) ** self.power

    def mean_loss(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | int]:
        row, column, count = batch
        prediction = at_least_float32(self(row[:, None], column[:, None])[:, 0])
        return (self.weight(count) * (prediction - count.log()).square()).mean(), len(row)
