"""BPR-MF: vectors of users and items such that what a user has scores above what it does not have.

Rendle et al. 2009, "BPR: Bayesian personalized ranking from implicit feedback". D2L 21.5.
Departs from the book: means, not sums; negatives are drawn for each step and are never items of the user.

    dive fit recommender/bpr_mf             generated films, offline
    dive fit recommender/bpr_mf_movielens   MovieLens 100K
"""

import torch
from torch import Tensor, nn

from lit_models.tasks.ranker import Ranker
from lit_models.tasks.trains import trains


class Factors(nn.Module):
    """p_u . q_i + c_i: (users (B,), history, items (B, K)) -> (B, K); without items (B, I).

    Args:
        num_users, num_items: Sizes of the tables.
        embed_size: E, length of a vector.
        item_bias: Whether there is c.
    """

    gathered_at_once, forward_methods = True, ("squares", "tables")

    def __init__(self, num_users: int, num_items: int, embed_size: int = 32, item_bias: bool = True) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(num_users, embed_size), nn.Embedding(num_items, embed_size)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.1)
        self.bias = nn.Embedding(num_items, 1) if item_bias else None
        if self.bias is not None:
            nn.init.zeros_(self.bias.weight)

    def forward(self, users: Tensor, history: Tensor, items: Tensor | None = None) -> Tensor:
        if items is None:
            scores = self.user(users) @ self.item.weight.T
            return scores if self.bias is None else scores + self.bias.weight.T
        scores = torch.einsum("be,bke->bk", self.user(users), self.item(items))
        return scores if self.bias is None else scores + self.bias(items)[..., 0]

    def tables(self) -> tuple[Tensor, Tensor]:
        """The vectors of all users (U, E) and of all items (I, E)."""
        return self.user.weight.clone(), self.item.weight.clone()  # sharded weights are whole inside of a method only

    def squares(self, users: Tensor, items: Tensor) -> Tensor:
        """Half the squared lengths of the vectors in use, of a row on average; items (B, K)."""
        return (self.user(users).square().sum() + self.item(items).square().sum()) / (2 * len(users))


@trains(Factors)
class LitBPRMF(Ranker):
    """Vectors trained by comparing items in pairs."""
