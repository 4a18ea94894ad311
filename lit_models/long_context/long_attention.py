"""Causal attention over texts that are longer than those of training: ALiBi, scaled rotary positions, window and sinks.

Xiao et al. 2023, "Efficient streaming language models with attention sinks": softmax weights add up to 1, and a network
that needs none puts them on the first tokens. If a sliding window drops these, it breaks; if they stay, it reads on.

As in the paper, places are counted within what is kept: the last key of a full window has the same distance to the
sinks for all of the text, so that no distance occurs that training had not. Keys are therefore cached before the
rotation. Departs from the paper: the cache keeps dropped keys, which the mask hides; memory grows with the text.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.layers.attention import causal_mask, masked_softmax
from lit_models.layers.kv_cache import KVCache
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.long_context.alibi import alibi_bias, alibi_slopes
from lit_models.long_context.rotary_scaling import ScaledRotary


class LongAttention(MultiHeadAttention):
    """(B, T, hidden_size) attends to itself and to what the cache has -> (B, T, hidden_size).

    Args:
        hidden_size, num_heads: See ``MultiHeadAttention``.
        dropout: See ``MultiHeadAttention``.
        window: How many keys, including its own, a query may attend to; 0 means all.
        sinks: First tokens of the text that every query may attend to besides, with a window.
        alibi: Scores fall with the distance.
        rotary: Rotates queries and keys to their places; shared by all layers.
    """

    slopes: Tensor

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        dropout: float = 0.0,
        window: int = 0,
        sinks: int = 0,
        alibi: bool = False,
        rotary: ScaledRotary | None = None,
    ) -> None:
        super().__init__(hidden_size, num_heads, dropout=dropout, causal=True, window=window)
        self.rotate, self.alibi, self.sinks = rotary, alibi, sinks
        self.register_buffer("slopes", alibi_slopes(num_heads).float(), persistent=False)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None, cache: KVCache | None = None
    ) -> Tensor:
        """As ``MultiHeadAttention``, without a memory and without a mask."""
        query, pairs = self._project(x, None, None)
        assert pairs is not None
        key, value = (pairs if cache is None else cache.append(pairs)).split(self.groups, 1)  # type: ignore[call-arg]
        seen = visible(query.shape[2], key.shape[2], self.window, self.sinks, x.device)
        beyond = bool(self.window) and key.shape[2] > self.window + self.sinks
        if self.need_weights or (beyond and self.sinks):
            mean = self._by_hand(query, key, value, seen)
        else:
            mean = self._fused(query, key, value, seen, plain=not beyond)
        return self.output(mean.transpose(1, 2).reshape(x.shape))

    def _rotated(self, x: Tensor, places: Tensor, length: int) -> Tensor:
        if self.rotate is None:
            return x
        return self.rotate(x, places, min(length, self.window + self.sinks) if self.window else length, length)

    def _places(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """The places of the queries (Q,) and of the keys (K,) in the text."""
        keys = torch.arange(key.shape[2], device=key.device)
        return keys[key.shape[2] - query.shape[2] :], keys

    def _fused(self, query: Tensor, key: Tensor, value: Tensor, seen: Tensor, plain: bool) -> Tensor:
        (at, keys), length = self._places(query, key), key.shape[2]
        query, key = self._rotated(query, at, length), self._rotated(key, keys, length)
        dropout = self.dropout if self.training else 0.0
        if self.alibi:
            bias = alibi_bias(self.slopes.to(query.dtype), at[:, None] - keys).masked_fill(~seen, -torch.inf)
            return F.scaled_dot_product_attention(query, key, value, bias, dropout)
        if plain and query.shape[2] == length:
            return F.scaled_dot_product_attention(query, key, value, None, dropout, is_causal=True)
        return F.scaled_dot_product_attention(query, key, value, seen, dropout)

    def _by_hand(self, query: Tensor, key: Tensor, value: Tensor, seen: Tensor) -> Tensor:
        """With sinks, whose distances are counted within the window, or with the weights kept."""
        (at, keys), length, scale = self._places(query, key), key.shape[2], 1 / math.sqrt(self.head_size)
        turned = self._rotated(key, keys, length)
        scores = scale * self._rotated(query, at, length) @ turned.transpose(2, 3)
        if self.alibi:
            scores = scores + alibi_bias(self.slopes.to(query.dtype), at[:, None] - keys)
        if self.window and self.sinks:
            near = at.clamp(max=self.window + self.sinks - 1)
            first = scale * self._rotated(query, near, length) @ turned[:, :, : self.sinks].transpose(2, 3)
            if self.alibi:
                first = first + alibi_bias(self.slopes.to(query.dtype), near[:, None] - keys[: self.sinks])
            scores = torch.cat([first, scores[..., self.sinks :]], 3)
        self.weights = masked_softmax(scores, seen)
        return F.dropout(self.weights, self.dropout if self.training else 0.0) @ value


def visible(num_queries: int, num_keys: int, window: int, sinks: int, device: torch.device) -> Tensor:
    """Which keys a query may attend to, (Q, K) booleans: the last ``window`` ones up to its own, and the sinks."""
    mask = causal_mask(num_queries, num_keys, window, device)
    if window and sinks:
        mask = mask | (causal_mask(num_queries, num_keys, 0, device) & (torch.arange(num_keys, device=device) < sinks))
    return mask
