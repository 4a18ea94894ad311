"""DeepFM: a factorization machine and a network on the same vectors.

Guo et al. 2017, "DeepFM: a factorization-machine based neural network for CTR prediction". D2L 21.10.
Departs from the book: logits and one sigmoid, in the loss; AUC and log loss are what is measured.

    dive fit recommender/deepfm         generated clicks, offline

The numbers it reaches are in RESULTS.md.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from lit_models.recommender.fm import FM, pair_products
from lit_models.tasks.clicks import Clicks
from lit_models.tasks.trains import trains


class DeepFM(FM):
    """FM + MLP of the concatenated vectors: x (B, F) -> logits (B,).

    Args:
        num_values: Rows of the table of all fields' values.
        num_fields: F.
        embed_size: E, length of a vector.
        mlp_sizes: Widths of the network's layers.
        dropout: After each of them.
    """

    def __init__(
        self,
        num_values: int,
        num_fields: int,
        embed_size: int = 10,
        mlp_sizes: Sequence[int] = (30, 20, 10),
        dropout: float = 0.1,
    ) -> None:
        super().__init__(num_values, embed_size)
        widths = [num_fields * embed_size, *mlp_sizes]
        layers = [[nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout)] for a, b in pairwise(widths)]
        self.mlp = nn.Sequential(*(part for layer in layers for part in layer), nn.Linear(widths[-1], 1))

    def forward(self, x: Tensor) -> Tensor:
        v = self.vector(x)  # (B, F, E)
        linear = self.bias + self.weight(x).sum((1, 2))
        return linear + pair_products(v) + self.mlp(v.flatten(1))[:, 0]


@trains(DeepFM)
class LitDeepFM(Clicks):
    """DeepFM trained on clicks."""
