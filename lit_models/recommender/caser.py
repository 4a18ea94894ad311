"""Caser: the last few films as a picture, and convolutions over it: patterns of steps, and weights of places.

Tang and Wang 2018, "Personalized top-N sequential recommendation via convolutional sequence embedding". D2L 21.7.
Departs from the book, which does not run it: windows at the beginning of a history are padded and not dropped, a batch
of one row works, and candidates are scored all at once.

    dive fit recommender/caser          generated films, offline

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.tasks.ranker import Ranker
from lit_models.tasks.trains import trains


class Caser(nn.Module):
    """(users (B,), history (B, L), items (B, K)) -> (B, K); without items (B, I).

    The window E (context, k) goes through horizontal kernels h x k of each height h, max-pooled over time, and vertical
    ones context x 1; a dense layer makes z. The score of an item is q_i . [z, p_u] + c_i.

    Args:
        num_users, num_items: Sizes of the tables.
        context: The last items that are looked at.
        embed_size: k.
        horizontal: Kernels of each height.
        vertical: Vertical kernels; 0 leaves them out.
        dropout: Of the convolutions' outputs.
    """

    gathered_at_once = True

    def __init__(
        self,
        num_users: int,
        num_items: int,
        context: int = 5,
        embed_size: int = 16,
        horizontal: int = 16,
        vertical: int = 4,
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        self.num_items, self.context = num_items, context
        self.user = nn.Embedding(num_users, embed_size)
        self.item = nn.Embedding(num_items + 1, embed_size, padding_idx=num_items)
        self.across = nn.ModuleList(nn.Conv2d(1, horizontal, (h, embed_size)) for h in range(1, context + 1))
        self.down = nn.Conv2d(1, vertical, (context, 1)) if vertical else None
        self.dense = nn.Linear(horizontal * context + vertical * embed_size, embed_size)
        self.dropout = nn.Dropout(dropout)
        self.output, self.bias = nn.Embedding(num_items, 2 * embed_size), nn.Embedding(num_items, 1)
        for table in (self.user, self.item, self.output):
            nn.init.normal_(table.weight, std=0.1)
        nn.init.zeros_(self.bias.weight)
        with torch.no_grad():
            self.item.weight[num_items] = 0

    def forward(self, users: Tensor, history: Tensor, items: Tensor | None = None) -> Tensor:
        history = F.pad(history, (self.context, 0), value=self.num_items)[:, -self.context :]
        window = self.item(history)[:, None]  # (B, 1, context, k)
        parts = [conv(window).relu().amax((2, 3)) for conv in self.across]  # (B, horizontal) each
        if self.down is not None:
            parts.append(self.down(window).flatten(1))  # (B, vertical k)
        z = self.dense(self.dropout(torch.cat(parts, 1))).relu()
        query = torch.cat([z, self.user(users)], 1)  # (B, 2 k)
        if items is None:
            return query @ self.output.weight.T + self.bias.weight.T
        return torch.einsum("be,bke->bk", query, self.output(items)) + self.bias(items)[..., 0]


@trains(Caser)
class LitCaser(Ranker):
    """Caser trained by comparing the next item with others (``data.batches: windows``)."""

    def fold_in(self, history: Tensor) -> Tensor:
        """Scores (B, I) of unknown users: their window with the mean of all users' vectors."""
        net: Any = self.net
        own = net.user.weight
        try:
            net.user.weight = nn.Parameter(own.mean(0, keepdim=True), requires_grad=False)
            return net(torch.zeros_like(history[:, 0]), history).float()
        finally:
            net.user.weight = own
