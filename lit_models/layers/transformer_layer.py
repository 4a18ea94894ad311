"""One layer of a transformer, as encoder or decoder, with the normalization before or after each part.

Vaswani et al. 2017, 3.1 (after); Xiong et al. 2020, "On layer normalization in the transformer architecture" (before).
D2L 11.7.4 and 11.8.4.
"""

from collections.abc import Callable

from torch import Tensor, nn

from lit_models.layers.kv_cache import KVCache
from lit_models.layers.multi_head import MultiHeadAttention


class TransformerLayer(nn.Module):
    """Self-attention, attention to a memory if there is one, feed-forward; each in a residual connection.

    Args:
        attention: Self-attention.
        feed_forward: Maps (..., hidden_size) to the same.
        norm: Makes a normalization; called once for each part.
        cross_attention: Attends to an encoder's output; None for an encoder or a language model.
        pre_norm: x + f(norm(x)); else norm(x + f(x)), the paper's and the book's.
        dropout: Of each part's output, before it is added.
    """

    def __init__(
        self,
        attention: MultiHeadAttention,
        feed_forward: nn.Module,
        norm: Callable[[], nn.Module],
        cross_attention: MultiHeadAttention | None = None,
        pre_norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention, self.attention_norm = attention, norm()
        if cross_attention is not None:
            self.cross_attention, self.memory_norm = cross_attention, norm()
        self.feed_forward, self.feed_forward_norm = feed_forward, norm()
        self.has_memory = cross_attention is not None
        self.pre_norm = pre_norm
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        caches: tuple[KVCache, KVCache | None] | None = None,
    ) -> Tensor:
        """(B, T, D), memory (B, S, D), masks (True: may be attended to), caches of the two attentions -> (B, T, D)."""
        own, other = caches or (None, None)
        if self.pre_norm:
            x = self._add(x, self.attention(self.attention_norm(x), mask=mask, cache=own))
            if self.has_memory:
                x = self._add(x, self.cross_attention(self.memory_norm(x), memory, memory_mask, other))
            return self._add(x, self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(self._add(x, self.attention(x, mask=mask, cache=own)))
        if self.has_memory:
            x = self.memory_norm(self._add(x, self.cross_attention(x, memory, memory_mask, other)))
        return self.feed_forward_norm(self._add(x, self.feed_forward(x)))

    def _add(self, x: Tensor, part: Tensor) -> Tensor:
        return x + (self.dropout(part) if self.training else part)  # saves a call, which matters when generating
