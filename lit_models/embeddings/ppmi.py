"""Counting, done well: positive pointwise mutual information and its singular vectors, the baseline to beat.

Church and Hanks 1990 (PMI); Levy and Goldberg 2014, "Neural word embedding as implicit matrix factorization"; Levy,
Goldberg and Dagan 2015, "Improving distributional similarity" (smoothed contexts, weights of the singular values).
The solution is in closed form. One step of gradient descent of rate 1 on half the squared distance from it lands there:
so the closed form is trained, saved, resumed and exported as any model.

    dive fit embeddings/ppmi            a text with known answers, offline

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds
from torch import Tensor, nn

from common.messages import UserError
from lit_models.functional.word_similarity import unit
from lit_models.tasks.trains import trains
from lit_models.tasks.word_vectors import WordVectors

Counts = tuple[Tensor, Tensor, Tensor]  # rows, columns, counts, each (P,)


def ppmi_matrix(counts: Counts, size: int, smoothing: float = 0.75, shift: float = 1.0) -> csr_matrix:
    """max(0, log P(word, neighbor) / (P(word) P(neighbor)) - log ``shift``), sparse (size, size), float64.

    Args:
        counts: How often each two words are neighbors.
        size: V.
        smoothing: Neighbors' counts are raised to this power, which lowers the score of rare ones.
        shift: k: skip-gram with k negatives factorizes the matrix that is shifted by log k.
    """
    rows, columns, values = (t.numpy() for t in counts)
    values = values.astype(np.float64)
    words = np.bincount(rows, values, size)
    neighbors = np.bincount(columns, values, size) ** smoothing
    pmi = np.log(values / words[rows]) - np.log(neighbors[columns] / neighbors.sum()) - np.log(shift)
    kept = pmi > 0
    return csr_matrix((pmi[kept], (rows[kept], columns[kept])), (size, size))


def singular_vectors(matrix: csr_matrix, count: int, power: float = 0.5) -> Tensor:
    """U S^power (V, count) of the largest singular values S; the sign of a column is that of its largest entry.

    Raises:
        UserError: There are not so many.
    """
    if count >= min(matrix.shape):
        raise UserError(f"model.embed_size is {count}: {matrix.shape[0]} words have fewer singular vectors; give less")
    u, s, _ = svds(matrix, count, v0=np.ones(matrix.shape[0]), random_state=0)
    u, s = u[:, ::-1], s[::-1]
    u = u * np.sign(u[np.abs(u).argmax(0), np.arange(count)])
    return torch.from_numpy(np.ascontiguousarray(u * s**power))


class Table(nn.Module):
    """A vector for each word: words (P, 1), neighbors (P, K) -> their dot products (P, K).

    Args:
        vocab_size: V, number of words.
        embed_size: E, length of a vector.
    """

    gathered_at_once, forward_methods = True, ("vectors",)  # for sharded weights: tables are used without being called

    def __init__(self, vocab_size: int, embed_size: int = 100) -> None:
        super().__init__()
        self.word = nn.Embedding(vocab_size, embed_size)

    def vectors(self) -> Tensor:
        return self.word.weight.clone()  # sharded weights are whole inside of a method only

    def forward(self, words: Tensor, neighbors: Tensor) -> Tensor:
        return torch.einsum("pe,pke->pk", self.word(words[:, 0]), self.word(neighbors))


@trains(Table)
class LitPPMI(WordVectors):
    """PPMI with singular vectors. It needs the datamodule's ``batches: counts`` and an optimizer SGD of rate 1.

    Each process takes all counts (``datamodule.splits``), whatever its part of the batch. ``train/loss`` is half the
    squared distance from the solution, 0 once it is reached.

    Args:
        smoothing, shift: See ``ppmi_matrix``.
        power: Of the singular values.
        **task: See ``Task``.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_size: int = 100,
        smoothing: float = 0.75,
        shift: float = 1.0,
        power: float = 0.5,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.size, self.embed_size = vocab_size, embed_size
        self.smoothing, self.shift, self.power = smoothing, shift, power
        self.solution: Tensor | None = None

    def solve(self) -> Tensor:
        """The solution (V, E) of the training counts, computed once."""
        if self.solution is None:
            counts: Any = (self.data_attribute("splits") or {}).get("train", ())
            if len(counts) != 3:
                raise UserError("PPMI counts neighbors: give --data.batches counts")
            matrix = ppmi_matrix(counts, self.size, self.smoothing, self.shift)
            self.solution = singular_vectors(matrix, self.embed_size, self.power)
        return self.solution

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        vectors = self.net.vectors()  # type: ignore[operator]
        loss = (vectors - self.solve().to(vectors)).square().sum() / 2
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def mean_loss(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | int]:
        """Minus the mean cosine of held-out neighbors, by their counts: what is minimized has no held-out value."""
        row, column, count = batch
        vectors = unit(self.net.vectors())  # type: ignore[operator]
        return -((vectors[row] * vectors[column]).sum(1) * count).sum() / count.sum(), count.sum()
