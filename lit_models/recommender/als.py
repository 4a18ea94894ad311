"""Implicit ALS: least squares for all users at once, then for all items, in closed form, until nothing moves.

Hu, Koren and Volinsky 2008, "Collaborative filtering for implicit feedback datasets". Not in D2L. What a user has is
a 1 with a confidence, what it does not have a 0 with confidence 1, so that no negatives are drawn. An epoch is one
sweep: the loss is half the squared distance from the two solutions, and a step of gradient descent of rate 1 lands on
them.

    dive fit recommender/als             generated films, offline
    dive fit recommender/als_movielens   MovieLens 100K
"""

from typing import Any

import torch
from torch import Tensor

from lit_models.functional.ranking import interaction_matrix, multi_hot
from lit_models.recommender.bpr_mf import Factors
from lit_models.tasks.ranker import Ranker
from lit_models.tasks.trains import trains


def least_squares(has: Tensor, vectors: Tensor, confidence: float, ridge: float) -> Tensor:
    """The vectors (N, E) that solve sum_i c_i (x_i - p . q_i)^2 + ridge |p|^2 for each row x of ``has``.

    (Q'Q + (c - 1) sum of q q' + ridge) p = c sum of q, the sums over what the row has (Hu et al., equation 4).

    Args:
        has: Who has what (N, M), sparse or dense, float64.
        vectors: Q (M, E), float64.
        confidence: c of what is there; 1 where nothing is.
        ridge: lambda.
    """
    size = vectors.shape[1]
    outer = (vectors[:, :, None] * vectors[:, None]).flatten(1)  # (M, E E)
    eye = torch.eye(size, dtype=vectors.dtype, device=vectors.device)
    left = vectors.T @ vectors + ridge * eye + (confidence - 1) * (has @ outer).view(-1, size, size)
    return torch.linalg.solve(left, confidence * (has @ vectors))


@trains(Factors)
class LitALS(Ranker):
    """Implicit ALS. It needs an optimizer SGD of rate 1 and all pairs in one batch (``data.batch_size``).

    Args:
        confidence: c of an item that a user has; implicit's ``alpha``.
        ridge: lambda; implicit's ``regularization``.
        **task: See ``Ranker``.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        item_bias: bool = False,
        confidence: float = 10.0,
        ridge: float = 10.0,
        **task: Any,
    ) -> None:
        super().__init__(num_users, num_items, **task)
        self.confidence, self.ridge = confidence, ridge
        self.has: Tensor | None = None

    def sweep(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """New vectors of all users (U, E), and of all items (I, E) by these, from the items' (I, E), float64."""
        if self.has is None:
            self.has = interaction_matrix(self.known(), self.num_users, self.num_items)
        users = least_squares(self.has, vectors, self.confidence, self.ridge)
        return users, least_squares(self.has.t(), users, self.confidence, self.ridge)

    def mean_loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        tables: tuple[Tensor, Tensor] = self.net.tables()  # type: ignore[operator]
        solutions = self.sweep(tables[1].detach().double())
        pairs = zip(tables, solutions, strict=True)
        return torch.stack([(table - new.to(table)).square().sum() / 2 for table, new in pairs]).sum()

    def fold_in(self, history: Tensor) -> Tensor:
        """The solution for a new user's items, as in a sweep: exact."""
        vectors = self.net.tables()[1].double()  # type: ignore[operator]
        has = multi_hot(history, self.num_items, torch.float64)
        return (least_squares(has, vectors, self.confidence, self.ridge) @ vectors.T).float()
