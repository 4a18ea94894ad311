"""EASE: the weights between items that best reproduce who has what, with no item allowed to predict itself.

Steck 2019, "Embarrassingly shallow autoencoders for sparse data". Not in D2L. One inverse of an item by item matrix,
in closed form (one step of rate 1, as ``popularity.py``); the baseline that deep models must beat.

    dive fit recommender/ease             generated films, offline
    dive fit recommender/ease_movielens   MovieLens 100K
"""

from typing import Any

import torch
from torch import Tensor

from lit_models.recommender.item_knn import ItemItem, gram
from lit_models.tasks.ranker import Ranker
from lit_models.tasks.trains import trains


def ease_weights(counts: Tensor, penalty: float) -> Tensor:
    """argmin |X - X B|^2 + penalty |B|^2 with a zero diagonal: B = I - P / diag(P), P = (X'X + penalty)^-1.

    Args:
        counts: X'X (I, I) float64.
        penalty: lambda, above 0.
    """
    inverse = torch.linalg.inv(counts + penalty * torch.eye(len(counts), dtype=counts.dtype, device=counts.device))
    weights = -inverse / inverse.diagonal()
    return weights.fill_diagonal_(0)


@trains(ItemItem)
class LitEASE(Ranker):
    """EASE. It needs an optimizer SGD of rate 1.

    Args:
        ridge: lambda of the paper.
        **task: See ``Ranker``.
    """

    def __init__(self, num_users: int, num_items: int, ridge: float = 200.0, **task: Any) -> None:
        super().__init__(num_users, num_items, **task)
        self.ridge = ridge
        self.solution: Tensor | None = None

    def solve(self) -> Tensor:
        """The weights (I, I), computed once."""
        if self.solution is None:
            counts = gram(self.known(), self.num_users, self.num_items)
            self.solution = ease_weights(counts, self.ridge)
        return self.solution

    def mean_loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        weight = self.net.weights()  # type: ignore[operator]
        return (weight - self.solve().to(weight)).square().sum() / 2
