"""T5: an encoder-decoder whose attention knows distances, not positions.

Raffel et al. 2020, "Exploring the limits of transfer learning with a unified text-to-text transformer"; Xue et al.
2021, "mT5". A learned number for each head and each bucket of distances is added to the scores: near distances have a
bucket each, far ones share some on a logarithmic scale. The numbers are the same in all layers. Also different from
Vaswani et al. 2017: scores are not divided by sqrt(d), which the initialization does instead; RMSNorm before each part;
no biases. ``gated`` and untied embeddings are version 1.1's and mT5's.

``lit_models/translation/pretrained.py`` trains it and reads transformers' folders.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from lit_models.layers.attention import causal_mask, length_mask
from lit_models.layers.feed_forward import Activation, activation_module
from lit_models.layers.kv_cache import DecoderState
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.transformer_layer import TransformerLayer
from lit_models.translation.published import from_t5, t5_sizes


def bucket(distance: Tensor, both: bool, buckets: int = 32, max_distance: int = 128) -> Tensor:
    """The bucket of key position - query position, int64 of any shape.

    Args:
        distance: Keys' positions minus queries'.
        both: Half of the buckets are for later keys; else later keys are as near as the query's own.
        buckets: Their number.
        max_distance: All distances from here on share a bucket.
    """
    offset = torch.zeros_like(distance)
    if both:
        buckets //= 2
        offset = (distance > 0).long() * buckets
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    exact = buckets // 2
    far = torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact) * (buckets - exact)
    return offset + torch.where(distance < exact, distance, (exact + far.long()).clamp(max=buckets - 1))


class RelativeBias(nn.Module):
    """A number for each head and distance -> (1, H, Q, K).

    Args:
        num_heads: Heads H.
        both: Whether later keys may be attended to.
        buckets, max_distance: See ``bucket``.
    """

    def __init__(self, num_heads: int, both: bool, buckets: int = 32, max_distance: int = 128) -> None:
        super().__init__()
        self.both, self.buckets, self.max_distance = both, buckets, max_distance
        self.weight = nn.Parameter(torch.zeros(buckets, num_heads))

    def forward(self, num_queries: int, num_keys: int) -> Tensor:
        """The last query has the last key's position."""
        device = self.weight.device
        key = torch.arange(num_keys, device=device)
        distance = key[None] - key[num_keys - num_queries :, None]  # (Q, K)
        return self.weight[bucket(distance, self.both, self.buckets, self.max_distance)].permute(2, 0, 1)[None]


class UnscaledAttention(MultiHeadAttention):
    """Multi-head attention whose scores are not divided by sqrt(d); a mask of numbers is added to them."""

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        if self.need_weights and mask is not None and mask.is_floating_point():
            self.weights = (query @ key.transpose(-2, -1) + mask).softmax(-1)
            return nn.functional.dropout(self.weights, self.dropout if self.training else 0.0) @ value
        return super()._attend(query * math.sqrt(self.head_size), key, value, mask)


class PlainFeedForward(nn.Module):
    """Two dense layers without biases, or with ``gated`` one that gates another. (..., D) -> (..., D).

    Args:
        hidden_size, ffn_size: Outer and inner features.
        activation: Non-linearity.
        gated: act(W x) * (V x), with W and V in one matrix.
        dropout: Before the last layer.
    """

    def __init__(self, hidden_size: int, ffn_size: int, activation: Activation, gated: bool, dropout: float) -> None:
        super().__init__()
        self.gated = gated
        self.inner = nn.Linear(hidden_size, (1 + gated) * ffn_size, bias=False)
        self.activation = activation_module(activation)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(ffn_size, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.inner(x)
        if self.gated:
            gate, through = inner.chunk(2, -1)
            return self.outer(self.dropout(self.activation(gate) * through))
        return self.outer(self.dropout(self.activation(inner)))


class T5(nn.Module):
    """source (B, S), source_length (B,), target_in (B, T) -> logits (B, T, V).

    Args:
        vocab_size: Number V of tokens, of both sides.
        hidden_size, num_heads, ffn_size: Of all layers.
        num_layers, decoder_layers: Of the encoder and of the decoder; 0 for as many.
        head_size: Features of a head; 0 for hidden_size / num_heads.
        activation, gated: Of the feed-forward parts: ``relu``; ``gelu_tanh`` and gated in version 1.1.
        tied: The embedding is also the output matrix.
        scale_output: Divide the logits by sqrt(hidden_size); version 1.1 does not.
        buckets, max_distance: Of distances, see ``bucket``.
        dropout: Of embeddings, attention weights, inner features and each part's output.
    """

    kind = "T5"

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int = 64,
        num_heads: int = 4,
        ffn_size: int = 256,
        num_layers: int = 2,
        decoder_layers: int = 0,
        head_size: int = 0,
        activation: Activation = "relu",
        gated: bool = False,
        tied: bool = True,
        scale_output: bool = True,
        buckets: int = 32,
        max_distance: int = 128,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.activation, self.tied, self.scale_output = activation, tied, scale_output
        size = head_size or hidden_size // num_heads

        def norm() -> nn.Module:
            return nn.RMSNorm(hidden_size, 1e-6)

        def attention() -> UnscaledAttention:
            return UnscaledAttention(hidden_size, num_heads, dropout=dropout, head_size=size)

        def layer(decoder: bool) -> TransformerLayer:
            ffn = PlainFeedForward(hidden_size, ffn_size, activation, gated, dropout)
            return TransformerLayer(attention(), ffn, norm, attention() if decoder else None, dropout=dropout)

        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.encoder_bias = RelativeBias(num_heads, True, buckets, max_distance)
        self.decoder_bias = RelativeBias(num_heads, False, buckets, max_distance)
        self.encoder = nn.ModuleList(layer(False) for _ in range(num_layers))
        self.decoder = nn.ModuleList(layer(True) for _ in range(decoder_layers or num_layers))
        self.encoder_norm, self.decoder_norm = norm(), norm()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden_size, vocab_size, bias=False)
        self.initialize(hidden_size, num_heads, size)
        if tied:
            self.head.weight = self.embedding.weight

    def initialize(self, hidden_size: int, num_heads: int, head_size: int) -> None:
        """T5's: queries are smaller by sqrt(d), instead of scores."""
        nn.init.normal_(self.embedding.weight, std=1.0)
        for bias in (self.encoder_bias, self.decoder_bias):
            nn.init.normal_(bias.weight, std=hidden_size**-0.5)
        for module in self.modules():
            if isinstance(module, UnscaledAttention):
                query, key, value = module.qkv.weight.split(module.sizes)
                nn.init.normal_(query, std=(hidden_size * head_size) ** -0.5)
                nn.init.normal_(key, std=hidden_size**-0.5)
                nn.init.normal_(value, std=hidden_size**-0.5)
                nn.init.normal_(module.output.weight, std=(num_heads * head_size) ** -0.5)
            elif isinstance(module, PlainFeedForward):
                nn.init.normal_(module.inner.weight, std=hidden_size**-0.5)
                nn.init.normal_(module.outer.weight, std=module.outer.in_features**-0.5)

    def encode(self, source: Tensor, source_length: Tensor) -> tuple[Tensor, Tensor]:
        x = self.dropout(self.embedding(source))  # (B, S, D)
        num = source.shape[1]
        mask = hidden(self.encoder_bias(num, num), length_mask(source_length, num))
        for layer in self.encoder:
            x = layer(x, mask)
        return self.dropout(self.encoder_norm(x)), source_length

    def decode(
        self, target_in: Tensor, memory: tuple[Tensor, Tensor], state: DecoderState | None = None
    ) -> tuple[Tensor, DecoderState]:
        """Continues from ``state`` (None: the beginning), which is changed in place: (B, T) -> logits (B, T, V)."""
        state = state or DecoderState(len(self.decoder), with_memory=True)
        return self._decode(target_in, memory, state), state

    def _decode(self, target_in: Tensor, memory: tuple[Tensor, Tensor], state: DecoderState | None) -> Tensor:
        encoded, length = memory
        num_queries, past = target_in.shape[1], state.length if state else 0
        num_keys = past + num_queries
        allowed = causal_mask(num_queries, num_keys, device=target_in.device)
        mask = hidden(self.decoder_bias(num_queries, num_keys), allowed)
        memory_mask = length_mask(length, encoded.shape[1])
        x = self.dropout(self.embedding(target_in))  # (B, T, D)
        for index, layer in enumerate(self.decoder):
            x = layer(x, mask, encoded, memory_mask, state.layer(index) if state else None)
        x = self.dropout(self.decoder_norm(x))
        return self.head(x / math.sqrt(x.shape[-1]) if self.scale_output else x)

    def forward(self, source: Tensor, source_length: Tensor, target_in: Tensor) -> Tensor:
        return self._decode(target_in, self.encode(source, source_length), None)

    # -- transformers' weights ----------------------------------------------------------------------------------------

    def sizes(self) -> dict[str, Any]:
        """The arguments that decide whether weights fit."""
        first: Any = self.encoder[0]
        return {
            "variant": "t5",
            "vocab_size": self.embedding.num_embeddings,
            "hidden_size": self.embedding.embedding_dim,
            "num_heads": first.attention.num_heads,
            "ffn_size": first.feed_forward.outer.in_features,
            "num_layers": len(self.encoder),
            "decoder_layers": len(self.decoder),
            "head_size": first.attention.head_size,
            "activation": self.activation,
            "gated": first.feed_forward.gated,
            "tied": self.tied,
            "scale_output": self.scale_output,
            "buckets": self.encoder_bias.buckets,
            "max_distance": self.encoder_bias.max_distance,
        }

    def sizes_of(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> dict[str, Any]:
        """The same of a folder of transformers'."""
        return t5_sizes(tensors, config)

    def from_published(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Transformers' tensors under the names of this network."""
        return from_t5(tensors, len(self.encoder), len(self.decoder), self.tied)


def hidden(bias: Tensor, allowed: Tensor) -> Tensor:
    """A bias of scores (1, H, Q, K) where keys may be attended to, and the lowest number elsewhere."""
    return bias.masked_fill(~allowed, torch.finfo(bias.dtype).min)
