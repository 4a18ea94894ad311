"""NeuMF: a product of vectors beside a small network on vectors of its own.

He et al. 2017, "Neural collaborative filtering". D2L 21.6.
Departs from the book: logits, not sigmoids (a BPR loss of sigmoids hardly moves from its start); all items are ranked,
where the book ranks as many as there are users; the last layer has a bias of each item.
Rendle et al. 2020, "Neural collaborative filtering vs. matrix factorization revisited", find the plain product as good.

    dive fit recommender/neumf          generated films, offline
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from lit_models.tasks.ranker import Ranker
from lit_models.tasks.trains import trains


class NeuMF(nn.Module):
    """w . [p_u * q_i, MLP(p'_u, q'_i)] + c_i: (users (B,), history, items (B, K)) -> (B, K); without items (B, I).

    Args:
        num_users, num_items: Sizes of the tables.
        embed_size: Length of the vectors of either part.
        mlp_sizes: Widths of the layers of the network.
        product: False leaves the network alone.
    """

    gathered_at_once = True

    def __init__(
        self,
        num_users: int,
        num_items: int,
        embed_size: int = 16,
        mlp_sizes: Sequence[int] = (32, 16),
        product: bool = True,
    ) -> None:
        super().__init__()
        self.product = product
        self.user, self.item = nn.Embedding(num_users, embed_size), nn.Embedding(num_items, embed_size)
        self.mlp_user, self.mlp_item = nn.Embedding(num_users, embed_size), nn.Embedding(num_items, embed_size)
        for table in (self.user, self.item, self.mlp_user, self.mlp_item):
            nn.init.normal_(table.weight, std=0.1)
        widths = [2 * embed_size, *mlp_sizes]
        layers = [[nn.Linear(a, b), nn.ReLU()] for a, b in pairwise(widths)]
        self.mlp = nn.Sequential(*(part for layer in layers for part in layer))
        self.output = nn.Linear(embed_size + widths[-1], 1, bias=False)
        nn.init.ones_(self.output.weight[:, :embed_size].detach())  # begins as a plain product
        self.bias = nn.Embedding(num_items, 1)
        nn.init.zeros_(self.bias.weight)

    def forward(self, users: Tensor, history: Tensor, items: Tensor | None = None) -> Tensor:
        if items is None:
            items = torch.arange(self.item.num_embeddings, device=users.device).expand(users.shape[0], -1)
        product = self.user(users)[:, None] * self.item(items) * float(self.product)  # (B, K, E)
        first, second = self.mlp_user(users)[:, None].expand_as(product), self.mlp_item(items)
        hidden = self.mlp(torch.cat([first, second], -1))
        return (self.output(torch.cat([product, hidden], -1)) + self.bias(items))[..., 0]


@trains(NeuMF)
class LitNeuMF(Ranker):
    """NeuMF trained by comparing items in pairs."""
