"""Factorization machine: a weight of each value, and the product of the vectors of each two values.

Rendle 2010, "Factorization machines". D2L 21.9.
Departs from the book: logits and one sigmoid, in the loss (the book has two, and an accuracy that is always 0); AUC and
log loss are what is measured.

    dive fit recommender/fm             generated clicks, offline
    dive fit recommender/fm_criteo      200 rows of Criteo's

The numbers they reach are in RESULTS.md.
"""

import torch
from torch import Tensor, nn

from lit_models.tasks.clicks import Clicks
from lit_models.tasks.trains import trains


class FM(nn.Module):
    """b + sum of w_f + sum over pairs of v_f . v_g: x (B, F) -> logits (B,).

    The sum over pairs is (|sum of v|^2 - sum of |v|^2) / 2, in time F instead of F^2.

    Args:
        num_values: Rows of the table of all fields' values.
        embed_size: E, length of a vector; 0 leaves logistic regression.
    """

    gathered_at_once = True

    def __init__(self, num_values: int, embed_size: int = 20) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))
        self.weight, self.vector = nn.Embedding(num_values, 1), nn.Embedding(num_values, embed_size)
        nn.init.zeros_(self.weight.weight)
        nn.init.normal_(self.vector.weight, std=0.05)

    def forward(self, x: Tensor) -> Tensor:
        v = self.vector(x)  # (B, F, E)
        return self.bias + self.weight(x).sum((1, 2)) + pair_products(v)


def pair_products(v: Tensor) -> Tensor:
    """The sum of v_f . v_g over all pairs f < g: (B, F, E) -> (B,)."""
    return (v.sum(1).square() - v.square().sum(1)).sum(1) / 2


@trains(FM)
class LitFM(Clicks):
    """A factorization machine trained on clicks."""
