"""Popularity: recommends the most popular items to everyone.

The first baseline, which many published models do not beat. Counting in closed form; one step of gradient descent of
rate 1 on half the squared distance from the counts lands there, so that it is trained, saved and tested as any model.

    dive fit recommender/popularity     generated films, offline
"""

from typing import Any

import torch
from torch import Tensor, nn

from lit_models.tasks.ranker import Ranker
from lit_models.tasks.trains import trains


class Popularity(nn.Module):
    """The same scores for all users: (users (B,), history, items (B, K)) -> (B, K); without items (B, I).

    Args:
        num_items: I.
    """

    by_history = True  # users have no parameters of their own
    forward_methods = ("counts",)

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_items))

    def counts(self) -> Tensor:
        """The score of each item (I,)."""
        return self.weight.clone()  # sharded weights are whole inside of a method only

    def forward(self, users: Tensor, history: Tensor, items: Tensor | None = None) -> Tensor:
        every = self.weight.expand(users.shape[0], -1)
        return every if items is None else every.gather(1, items)


@trains(Popularity)
class LitPopularity(Ranker):
    """Popularity: the fraction of users who have an item. It needs an optimizer SGD of rate 1.

    Args:
        **task: See ``Ranker``.
    """

    def __init__(self, num_users: int, num_items: int, **task: Any) -> None:
        super().__init__(num_users, num_items, **task)

    def mean_loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        weight = self.net.counts()  # type: ignore[operator]
        counts = self.data_attribute("item_counts").to(weight) / self.num_users
        return (weight - counts).square().sum() / 2
