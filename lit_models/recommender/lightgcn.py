"""LightGCN: a user is the mean of its items, an item the mean of its users, a few steps deep.

He et al. 2020, "LightGCN: simplifying and powering graph convolution network for recommendation". Not in D2L.
No weights but the first vectors; the steps over the graph of who has what are the network.

    dive fit recommender/lightgcn       generated films, offline

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lit_models.tasks.ranker import Ranker
from lit_models.tasks.trains import trains


class LightGCN(nn.Module):
    """p_u . q_i of the smoothed vectors: (users (B,), history, items (B, K)) -> (B, K); without items (B, I).

    Args:
        num_users, num_items: Sizes of the tables.
        embed_size: E, length of a vector.
        num_layers: Steps over the graph; 0 is plain matrix factorization.
    """

    gathered_at_once, forward_methods = True, ("squares",)

    def __init__(self, num_users: int, num_items: int, embed_size: int = 32, num_layers: int = 3) -> None:
        super().__init__()
        self.num_users, self.num_items, self.num_layers = num_users, num_items, num_layers
        self.nodes = nn.Embedding(num_users + num_items, embed_size)
        nn.init.normal_(self.nodes.weight, std=0.1)
        self.edges: tuple[Tensor, Tensor, Tensor] | None = None  # from, to, weight

    def take_graph(self, positives: Tensor) -> None:
        """The edges of user * I + item (N,), each in both directions with weight 1 / sqrt(degree degree)."""
        user, item = positives // self.num_items, positives % self.num_items + self.num_users
        source, target = torch.cat([user, item]), torch.cat([item, user])
        degree = source.bincount(minlength=self.num_users + self.num_items).double()
        self.edges = source, target, (degree[source] * degree[target]).rsqrt()

    def smoothed(self) -> tuple[Tensor, Tensor]:
        """The mean over 0 to ``num_layers`` steps: of users (U, E), of items (I, E)."""
        x = self.nodes.weight
        total = x
        if self.edges is not None:
            source, target, weight = (part.to(x.device) for part in self.edges)
            for _ in range(self.num_layers):
                x = torch.zeros_like(x).index_add(0, target, weight[:, None].to(x.dtype) * x[source])
                total = total + x
        total = total / (self.num_layers + 1)
        return total[: self.num_users], total[self.num_users :]

    def forward(self, users: Tensor, history: Tensor, items: Tensor | None = None) -> Tensor:
        user, item = self.smoothed()
        if items is None:
            return user[users] @ item.T
        return torch.einsum("be,bke->bk", user[users], item[items])

    def squares(self, users: Tensor, items: Tensor) -> Tensor:
        """Half the squared lengths of the first vectors in use, of a row on average; items (B, K)."""
        first, second = self.nodes(users), self.nodes(items + self.num_users)
        return (first.square().sum() + second.square().sum()) / (2 * len(users))


@trains(LightGCN)
class LitLightGCN(Ranker):
    """LightGCN trained by comparing items in pairs; the graph is in its checkpoints (``positives``)."""

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit":
            self.take_graph()

    def take_graph(self) -> None:
        """Gives the network what users have in training."""
        if isinstance(self.net, LightGCN) and len(self.positives):
            self.net.take_graph(self.positives)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.take_graph()
