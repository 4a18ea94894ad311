"""SASRec: self-attention over what a user had, in order, says what comes next.

Kang and McAuley 2018, "Self-attentive sequential recommendation". Not in D2L, whose sequence model is Caser (21.7).
Departs from the paper: normalization before each part (the project's transformer layers), the loss may be softmax over
the negatives that are drawn for each place (Klenitskiy and Vasilev 2023, "Turning dross into gold loss").

    dive fit recommender/sasrec         generated films, offline

The numbers it reaches are in RESULTS.md.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.functional.ranking_losses import draw_negatives, ranking_loss
from lit_models.layers.feed_forward import FeedForward
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.precision import at_least_float32
from lit_models.layers.transformer_layer import TransformerLayer
from lit_models.tasks.ranker import Ranker
from lit_models.tasks.trains import trains


class SASRec(nn.Module):
    """(users (B,), history (B, L), items (B, K)) -> (B, K); without items (B, I). Users have no parameters.

    Args:
        num_items: I; the table has a row more, for padding.
        context: The last items that are looked at.
        hidden_size: D, of an item and of a place.
        num_layers, num_heads: Of the transformer.
        dropout: Of embeddings, attention and each part of a layer.
        positions: False leaves them out: a place knows what came before it, not in which order.
    """

    by_history = True  # users have no parameters of their own
    gathered_at_once, forward_methods = True, ("states", "rows")

    def __init__(
        self,
        num_items: int,
        context: int = 50,
        hidden_size: int = 32,
        num_layers: int = 2,
        num_heads: int = 1,
        dropout: float = 0.2,
        positions: bool = True,
    ) -> None:
        super().__init__()
        self.num_items, self.context, self.positions = num_items, context, positions
        self.item = nn.Embedding(num_items + 1, hidden_size, padding_idx=num_items)
        self.place = nn.Parameter(torch.empty(context, hidden_size).normal_(std=0.02))
        nn.init.normal_(self.item.weight, std=0.05)
        with torch.no_grad():
            self.item.weight[num_items] = 0
        norm = partial(nn.LayerNorm, hidden_size)
        self.layers = nn.ModuleList(
            TransformerLayer(
                MultiHeadAttention(hidden_size, num_heads, dropout=dropout, bias=True, causal=True),
                FeedForward(hidden_size, hidden_size, dropout=dropout),
                norm,
                dropout=dropout,
            )
            for _ in range(num_layers)
        )
        self.norm, self.dropout = norm(), nn.Dropout(dropout)

    def states(self, history: Tensor) -> Tensor:
        """What each place knows (B, T, D) of the items up to it; places are counted from the end."""
        if not history.shape[1]:
            history = torch.full_like(history[:, :1].new_empty(len(history), 1), self.num_items)
        history = history[:, -self.context :]
        length = history.shape[1]
        x = self.item(history)
        x = self.dropout(x + self.place[-length:] * float(self.positions))  # DDP wants a gradient of every parameter
        real = history < self.num_items  # (B, T)
        # padding sees itself: a row without any key has no softmax
        mask = real[:, None, None, :] | torch.eye(length, dtype=torch.bool, device=x.device)  # (B, 1, T, T)
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)

    def rows(self, items: Tensor) -> Tensor:
        """The vectors (..., D) of items (...)."""
        return self.item(items)

    def forward(self, users: Tensor, history: Tensor, items: Tensor | None = None) -> Tensor:
        last = self.states(history)[:, -1]  # (B, D)
        if items is None:
            return last @ self.item.weight[: self.num_items].T
        return torch.einsum("bd,bkd->bk", last, self.item(items))


@trains(SASRec)
class LitSASRec(Ranker):
    """SASRec trained at all places of a history at once (``data.batches: users``).

    Args:
        **task: See ``Ranker``.
    """

    def __init__(self, num_users: int, num_items: int, **task: Any) -> None:
        super().__init__(num_users, num_items, **task)

    def setup(self, stage: str) -> None:
        """See ``Ranker``.

        Raises:
            UserError: No user has two training items: there is nothing to learn from.
        """
        super().setup(stage)
        if stage == "fit" and len(self.positives) and int((self.positives // self.num_items).bincount().max()) < 2:
            raise UserError(
                "no user has two training items, one to follow the other: give longer histories (with leave_one_out a "
                "user needs four ratings), or take recommender/item_knn"
            )

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        net: Any = self.net
        users, history = batch[:2]
        history = history[:, -(net.context + 1) :]
        if history.shape[1] < 2:  # nobody in the batch has a second item: a loss of 0
            history = F.pad(history, (1, 0), value=self.num_items)
        before, after = history[:, :-1], history[:, 1:]
        real = before < self.num_items  # what comes after padding has nothing to go by
        who, context = users[:, None].expand_as(after)[real], net.states(before)[real]  # (N,), (N, D)
        negatives = draw_negatives(who, self.num_negatives, self.num_items, self.known())
        candidates = net.rows(torch.cat([after[real][:, None], negatives], 1))  # (N, 1 + n, D)
        scores = at_least_float32(torch.einsum("nd,nkd->nk", context, candidates))
        count = real.sum()
        loss = ranking_loss(self.loss, scores[:, :1], scores[:, 1:]).sum() / count.clamp(min=1)
        self.record_train_loss(loss, count)
        return loss
