"""Multi-head attention: several small attentions in parallel, each with its own queries, keys and values.

Vaswani et al. 2017, 3.2.2; Shazeer 2019 and Ainslie et al. 2023 for shared keys and values. D2L 11.5.
Departs from the book: the three projections lie in one matrix (one multiplication instead of three in
self-attention), as in ``torch.nn.MultiheadAttention`` and GPT-2's ``c_attn``; the fused kernel is used unless
the weights are requested.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.layers.attention import causal_mask, dot_product_attention, fused_attention
from lit_models.layers.kv_cache import KVCache
from lit_models.layers.positions import RotaryPositions


class MultiHeadAttention(nn.Module):
    """(B, Q, hidden_size) attends to itself, or to a memory (B, K, hidden_size) -> (B, Q, hidden_size).

    If ``need_weights`` is set, ``dot_product_attention`` is used, and ``weights`` holds the weights (B, H, Q, K) of the
    last call; callbacks draw them from there.

    Args:
        hidden_size: Features D of a token.
        num_heads: Query heads H, each with D / H features.
        num_kv_heads: Heads G of keys and values, a divisor of H; 0 means H. 1 is multi-query attention.
        dropout: Probability that a weight is dropped in training.
        bias: Whether the projections have biases; the book's have none.
        causal: A query does not attend to later keys.
        window: With ``causal``: how many keys, including its own, a query may attend to; 0 means all.
        rotary: Rotates queries and keys by their positions; shared by all layers.
        head_size: Features of a head; 0 means D / H.

    Raises:
        ValueError: The heads do not divide the features, or the key heads the query heads.
    """

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        num_kv_heads: int = 0,
        dropout: float = 0.0,
        bias: bool = False,
        causal: bool = False,
        window: int = 0,
        rotary: RotaryPositions | None = None,
        head_size: int = 0,
    ) -> None:
        super().__init__()
        groups = num_kv_heads or num_heads
        if hidden_size % num_heads and not head_size:
            raise ValueError(f"hidden_size {hidden_size} is not a multiple of num_heads {num_heads}")
        if num_heads % groups:
            raise ValueError(f"num_heads {num_heads} is not a multiple of num_kv_heads {groups}")
        self.num_heads, self.groups, self.head_size = num_heads, groups, head_size or hidden_size // num_heads
        self.dropout, self.causal, self.window = dropout, causal, window
        self.sizes = (num_heads * self.head_size, groups * self.head_size, groups * self.head_size)
        self.qkv = nn.Linear(hidden_size, sum(self.sizes), bias=bias)
        self.output = nn.Linear(self.sizes[0], hidden_size, bias=bias)
        self.rotary = rotary
        self.need_weights = False
        self.weights: Tensor | None = None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier initialization for each projection separately, zero biases."""
        for weight in (*self.qkv.weight.split(self.sizes), self.output.weight):
            nn.init.xavier_uniform_(weight)
        for layer in (self.qkv, self.output):
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None, cache: KVCache | None = None
    ) -> Tensor:
        """Attends from x to a memory: (B, Q, D) -> (B, Q, D).

        Args:
            x: (B, Q, D).
            memory: (B, K, D); None attends to x itself.
            mask: Broadcastable to (B, H, Q, K), True where a query may attend to a key; combined with ``causal``.
            cache: Keys and values of earlier calls. Those of a memory are computed once.
        """
        query, pairs = self._project(x, memory, cache)
        if self.rotary is not None and pairs is not None:
            offset = cache.length if cache is not None else 0
            key, value = pairs.split(self.groups, 1)
            query, pairs = self.rotary(query, offset), torch.cat([self.rotary(key, offset), value], 1)
        if cache is not None:
            pairs = cache.contents() if pairs is None else cache.append(pairs)
        assert pairs is not None
        mean = self._attend(query, *pairs.split(self.groups, 1), mask)  # type: ignore[call-arg]  # (B, H, Q, d)
        return self.output(mean.transpose(1, 2).flatten(2))

    def _project(self, x: Tensor, memory: Tensor | None, cache: KVCache | None) -> tuple[Tensor, Tensor | None]:
        """Queries (B, H, Q, d), keys and values (B, 2 G, K, d); the latter None if the cache has those of a memory."""
        if memory is None:
            heads = self._heads(self.qkv(x))  # (B, H + 2 G, Q, d)
            return heads.narrow(1, 0, self.num_heads), heads.narrow(1, self.num_heads, 2 * self.groups)
        weight, bias, d = self.qkv.weight, self.qkv.bias, self.sizes[0]
        query = self._heads(F.linear(x, weight[:d], None if bias is None else bias[:d]))
        if cache is not None and cache.length:
            return query, None
        return query, self._heads(F.linear(memory, weight[d:], None if bias is None else bias[d:]))

    def _heads(self, x: Tensor) -> Tensor:
        """(B, T, n d) -> (B, n, T, d)."""
        return x.view(*x.shape[:2], -1, self.head_size).transpose(1, 2)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        num_queries, num_keys = query.shape[2], key.shape[2]
        fits = mask is None and not self.need_weights and not (self.window and self.window < num_keys)
        simple = self.causal and num_queries == num_keys and fits  # the kernel's own causal mask
        if self.causal and num_queries > 1 and not simple:
            past = causal_mask(num_queries, num_keys, self.window, query.device)
            mask = past if mask is None else mask & past
        dropout = self.dropout if self.training else 0.0
        if self.need_weights:
            mean, self.weights = dot_product_attention(query, key, value, mask, dropout)
            return mean
        return fused_attention(query, key, value, mask, dropout, bool(simple and num_queries > 1))
