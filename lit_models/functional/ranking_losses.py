"""Losses that compare an item of a user with others, and the draw of these others.

Rendle et al. 2009, "BPR"; the hinge of D2L 21.5; sampled softmax (Jean et al. 2015) without correction, as negatives
are uniform; binary cross-entropy (SASRec, NeuMF). Departs from the book: means, not sums; logits, never probabilities.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Literal["bpr", "hinge", "softmax", "bce"]


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """-log sigmoid(positive - negative), (..., 1) and (..., n) -> (..., n)."""
    return -F.logsigmoid(positive - negative)


def hinge(positive: Tensor, negative: Tensor, margin: float = 1.0) -> Tensor:
    """max(0, margin - positive + negative), (..., 1) and (..., n) -> (..., n)."""
    return F.relu(margin - positive + negative)


def sampled_softmax(positive: Tensor, negative: Tensor) -> Tensor:
    """Minus the log probability of the positive among itself and the negatives, (..., 1) and (..., n) -> (..., 1)."""
    return torch.logsumexp(torch.cat([positive, negative], -1), -1, keepdim=True) - positive


def binary(positive: Tensor, negative: Tensor) -> Tensor:
    """Cross-entropy of the positive as 1 and the mean of the negatives as 0, (..., 1) and (..., n) -> (..., 1)."""
    return -F.logsigmoid(positive) - F.logsigmoid(-negative).mean(-1, keepdim=True)


def ranking_loss(kind: Loss, positive: Tensor, negative: Tensor) -> Tensor:
    """The loss of a name, a mean over its last dimension: (..., 1) and (..., n) -> (...)."""
    found = {"bpr": bpr, "hinge": hinge, "softmax": sampled_softmax, "bce": binary}[kind](positive, negative)
    return found.mean(-1)


def draw_negatives(users: Tensor, count: int, num_items: int, positives: Tensor, tries: int = 20) -> Tensor:
    """``count`` items for each user (B,) -> (B, count), uniform over those that the user does not have.

    A user who has nearly all items may get one of them after the last try.

    Args:
        users: (B,).
        count: Items for each.
        num_items: I.
        positives: user * I + item of what users have, sorted (N,).
        tries: How often what users have is drawn again.
    """
    items = torch.randint(num_items, (len(users), count), device=users.device)
    if not len(positives):
        return items
    for _ in range(tries):
        keys = users[:, None] * num_items + items
        place = torch.searchsorted(positives, keys).clamp(max=len(positives) - 1)
        taken = positives[place] == keys
        if not bool(taken.any()):
            break
        items = torch.where(taken, torch.randint_like(items, num_items), items)
    return items
