"""Attention: a weighted mean of values, with weights that compare a query with every key.

Vaswani et al. 2017, "Attention is all you need", 3.2.1; Bahdanau et al. 2015 for the additive score. D2L 11.3.
Two implementations with the same values and gradients: ``dot_product_attention`` computes each step and returns the
weights; ``fused_attention`` is ``scaled_dot_product_attention``, which does not store them.

Departs from the book: a mask is a tensor of booleans (True: may be attended to); the book sets scores to -1e6 in
place. A query whose keys are all masked gets zeros; the book's equal scores return the mean of the padding.

Shapes: (B, H, Q, d) queries, (B, H, K, d) keys and values: batch, heads, positions, features of a head.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def length_mask(lengths: Tensor, num_keys: int) -> Tensor:
    """Which keys are real. Lengths (B,) for all queries or (B, Q) for each -> (B, 1, 1 or Q, num_keys) booleans.

    Raises:
        ValueError: The lengths have neither one nor two dimensions.
    """
    if lengths.ndim not in (1, 2):
        raise ValueError(f"lengths are (B,) or (B, Q), not {tuple(lengths.shape)}")
    per_query = lengths[:, None] if lengths.ndim == 1 else lengths
    return (torch.arange(num_keys, device=lengths.device) < per_query[..., None])[:, None]


def causal_mask(num_queries: int, num_keys: int, window: int = 0, device: torch.device | None = None) -> Tensor:
    """Which keys are not in a query's future -> (num_queries, num_keys) booleans. Last query and last key coincide.

    Args:
        num_queries, num_keys: With more keys than queries the first keys are the past, from a cache.
        window: How many keys, including the query's own, may be attended to; 0 means all of the past (Beltagy et al.
            2020, sliding window).
        device: Where the mask is made.
    """
    query = torch.arange(num_keys - num_queries, num_keys, device=device)[:, None]
    key = torch.arange(num_keys, device=device)
    mask = key <= query
    return mask & (key > query - window) if window else mask


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax over the last dimension of (..., Q, K), zero where ``mask`` is False; an all-masked row is all zeros."""
    if mask is None:
        return scores.softmax(-1)
    lowest = torch.finfo(scores.dtype).min  # not -inf: a row with only -inf would be 0 / 0, and so its gradient
    return scores.masked_fill(~mask, lowest).softmax(-1) * mask


def dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, dropout: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention, step by step.

    Args:
        query: (B, H, Q, d).
        key, value: (B, G, K, d) with H a multiple of G: each group of H / G query heads shares one head of keys and
            values (Ainslie et al. 2023, grouped-query attention).
        mask: Broadcastable to (B, H, Q, K); True: may be attended to.
        dropout: Probability that a weight is dropped.

    Returns:
        The means (B, H, Q, d) and the weights (B, H, Q, K), before dropout.
    """
    groups = query.shape[-3] // key.shape[-3] if query.ndim > 3 else 1
    if groups > 1:
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # (B, H, Q, K): unit variance at the start
    weights = masked_softmax(scores, mask)
    return F.dropout(weights, dropout) @ value, weights


def fused_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, dropout: float = 0.0, causal: bool = False
) -> Tensor:
    """The same means from ``scaled_dot_product_attention``. ``causal`` needs as many keys as queries and no mask."""
    groups = key.shape[-3]
    grouped = query.shape[-3] != groups
    if grouped and query.shape[-2] == 1 and mask is None and not dropout:  # a group's heads as queries: no repeat
        mean = F.scaled_dot_product_attention(query.reshape(len(query), groups, -1, query.shape[-1]), key, value)
        return mean.reshape(query.shape)
    return F.scaled_dot_product_attention(query, key, value, mask, dropout, causal, enable_gqa=grouped)


class AdditiveAttention(nn.Module):
    """A score for queries and keys of different sizes: w . tanh(W q + U k) (Bahdanau et al. 2015; D2L 11.3.4).

    Args:
        query_size, key_size: Features of a query and of a key.
        hidden_size: Features of the layer that compares them.
        dropout: Probability that a weight is dropped in training.
    """

    def __init__(self, query_size: int, key_size: int, hidden_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, hidden_size, bias=False)
        self.key = nn.Linear(key_size, hidden_size, bias=False)
        self.score = nn.Linear(hidden_size, 1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, Q, query_size), (B, K, key_size), (B, K, V), mask to (B, Q, K) -> means (B, Q, V), weights (B, Q, K)."""
        return self.attend(query, self.key(key), value, mask)

    def attend(self, query: Tensor, keys: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As ``forward``, with keys (B, K, hidden_size) that went through ``self.key`` once, for many queries."""
        compared = torch.tanh(self.query(query)[:, :, None] + keys[:, None])  # (B, Q, K, hidden_size)
        weights = masked_softmax(self.score(compared).squeeze(-1), mask)
        return self.dropout(weights) @ value, weights
