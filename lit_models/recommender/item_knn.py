"""Item neighborhoods: a film is as good as it is similar to the films that a person has.

Sarwar et al. 2001, "Item-based collaborative filtering"; Deshpande and Karypis 2004 (only the most similar items).
Cosine of who has what, in closed form (one step of rate 1, as ``popularity.py``). Not in D2L; the baseline of Ferrari
Dacrema et al. 2019, "Are we really making much progress?", which tuned neighborhoods often win.

    dive fit recommender/item_knn       generated films, offline
"""

from typing import Any

import torch
from torch import Tensor, nn

from lit_models.functional.ranking import interaction_matrix, multi_hot
from lit_models.tasks.ranker import Ranker
from lit_models.tasks.trains import trains


class ItemItem(nn.Module):
    """A weight for each pair of items: an item's score is the sum of the weights from what a user has.

    (users (B,), history (B, L), items (B, K)) -> (B, K); without items (B, I).

    Args:
        num_items: I.
    """

    by_history = True  # users have no parameters of their own
    gathered_at_once, forward_methods = True, ("weights",)

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.num_items = num_items
        self.weight = nn.Parameter(torch.zeros(num_items, num_items))  # from, to

    def weights(self) -> Tensor:
        """All weights (I, I)."""
        return self.weight.clone()  # sharded weights are whole inside of a method only

    def forward(self, users: Tensor, history: Tensor, items: Tensor | None = None) -> Tensor:
        every = multi_hot(history, self.num_items, self.weight.dtype) @ self.weight
        return every if items is None else every.gather(1, items)


def gram(positives: Tensor, num_users: int, num_items: int) -> Tensor:
    """How many users have both of two items (I, I), float64."""
    x = interaction_matrix(positives, num_users, num_items)
    return torch.sparse.mm(x.t(), x).to_dense()


def cosine_neighbors(counts: Tensor, neighbors: int, shrink: float = 0.0) -> Tensor:
    """Cosines of items (I, I) from ``gram``, only those of the most similar items of each.

    Args:
        counts: How many users have both (I, I).
        neighbors: Similar items that are kept for each item.
        shrink: Added to the denominator, against cosines of items that few users have.
    """
    size = counts.diagonal().sqrt()
    cosine = counts / (size[:, None] * size + shrink).clamp(min=1e-12)
    cosine.fill_diagonal_(0)
    best = cosine.topk(min(neighbors, len(cosine)), 0)  # of each column: the items that speak for it
    return torch.zeros_like(cosine).scatter_(0, best.indices, best.values)


@trains(ItemItem)
class LitItemKNN(Ranker):
    """Item neighborhoods. It needs an optimizer SGD of rate 1.

    Args:
        neighbors, shrink: See ``cosine_neighbors``.
        **task: See ``Ranker``.
    """

    def __init__(self, num_users: int, num_items: int, neighbors: int = 100, shrink: float = 10.0, **task: Any) -> None:
        super().__init__(num_users, num_items, **task)
        self.neighbors, self.shrink = neighbors, shrink
        self.solution: Tensor | None = None

    def solve(self) -> Tensor:
        """The weights (I, I), computed once."""
        if self.solution is None:
            counts = gram(self.known(), self.num_users, self.num_items)
            self.solution = cosine_neighbors(counts, self.neighbors, self.shrink)
        return self.solution

    def mean_loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        weight = self.net.weights()  # type: ignore[operator]
        return (weight - self.solve().to(weight)).square().sum() / 2
