"""The encoder-decoders of Marian, M2M-100 and mBART: one transformer with other positions and normalizations.

Junczys-Dowmunt et al. 2018 (Marian; the OPUS-MT models); Fan et al. 2021, "Beyond English-centric multilingual machine
translation" (M2M-100; NLLB is of its shape too); Liu et al. 2020, "Multilingual denoising pre-training" (mBART).

| variant | positions | normalization | bias of the logits |
|---|---|---|---|
| ``marian`` | sinusoidal, all sines first, from 0 | after each part | yes |
| ``m2m_100`` | sinusoidal with other wavelengths, from 2 | before each part, and at the end | no |
| ``mbart`` | learned, from 2 | before each part, at the end, and of the embeddings | yes |

One matrix is the source's and the target's embedding and the output matrix. ``lit_models/translation/pretrained.py``
trains it and reads transformers' folders.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.layers.attention import length_mask
from lit_models.layers.feed_forward import Activation, FeedForward
from lit_models.layers.kv_cache import DecoderState
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.positions import LearnedPositions, SinusoidalPositions
from lit_models.layers.transformer_layer import TransformerLayer
from lit_models.translation.published import bart_sizes, from_bart

FIRST = 2  # position of the first token in M2M-100 and mBART, whose tables begin as fairseq's do


@dataclass(frozen=True)
class Parts:
    """What a variant has.

    Args:
        positions: Sinusoidal, the same from 2 with other wavelengths, or learned.
        pre_norm: Normalize before each part and at the end; else after each part.
        embedding_norm: Normalize the embeddings too.
        logits_bias: A constant is added to the logits.
    """

    positions: Literal["sinusoidal", "shifted", "learned"]
    pre_norm: bool
    embedding_norm: bool
    logits_bias: bool


VARIANTS = {
    "marian": Parts("sinusoidal", pre_norm=False, embedding_norm=False, logits_bias=True),
    "m2m_100": Parts("shifted", pre_norm=True, embedding_norm=False, logits_bias=False),
    "mbart": Parts("learned", pre_norm=True, embedding_norm=True, logits_bias=True),
}


class ShiftedPositions(SinusoidalPositions):
    """M2M-100's: the first token has position 2, and the last wavelength is exactly 10,000 times the first."""

    def __init__(self, hidden_size: int, max_length: int = 1000) -> None:
        half = hidden_size // 2
        super().__init__(hidden_size, max_length + FIRST, halves=True, base=10_000.0 ** (half / max(1, half - 1)))

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        return super().forward(x, offset + FIRST)


class LaterPositions(LearnedPositions):
    """mBART's: learned, with two rows before the first token's that are not used."""

    def __init__(self, hidden_size: int, max_length: int) -> None:
        super().__init__(hidden_size, max_length + FIRST)

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        longest = self.weight.shape[1] - FIRST
        if offset + x.shape[1] > longest:
            raise UserError(f"{offset + x.shape[1]} tokens are more than the network's {longest} positions")
        return super().forward(x, offset + FIRST)


class Bart(nn.Module):
    """source (B, S), source_length (B,), target_in (B, T) -> logits (B, T, V).

    Args:
        vocab_size: Number V of tokens, of both sides.
        hidden_size, num_heads, ffn_size: Of all layers.
        num_layers, decoder_layers: Of the encoder and of the decoder; 0 for as many.
        variant: ``marian``, ``m2m_100`` or ``mbart``.
        activation: Of the feed-forward parts.
        scale_embedding: Multiply embeddings by sqrt(hidden_size).
        max_positions: Longest sequence of learned positions.
        dropout: Of embeddings, attention weights, inner features and each part's output.
    """

    kind = "Marian, M2M-100 or mBART"

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int = 64,
        num_heads: int = 4,
        ffn_size: int = 256,
        num_layers: int = 2,
        decoder_layers: int = 0,
        variant: str = "mbart",
        activation: Activation = "gelu",
        scale_embedding: bool = True,
        max_positions: int = 1024,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.variant, self.activation, self.max_positions = variant, activation, max_positions
        self.scale_embedding, self.scale = scale_embedding, math.sqrt(hidden_size) if scale_embedding else 1.0
        parts = VARIANTS[variant]

        def norm() -> nn.Module:
            return nn.LayerNorm(hidden_size)

        def attention(causal: bool = False) -> MultiHeadAttention:
            return MultiHeadAttention(hidden_size, num_heads, dropout=dropout, bias=True, causal=causal)

        def layer(decoder: bool) -> TransformerLayer:
            ffn = FeedForward(hidden_size, ffn_size, activation, dropout)
            return TransformerLayer(
                attention(decoder), ffn, norm, attention() if decoder else None, parts.pre_norm, dropout
            )

        def positions() -> nn.Module:
            if parts.positions == "learned":
                return LaterPositions(hidden_size, max_positions)
            if parts.positions == "shifted":
                return ShiftedPositions(hidden_size, max_positions)
            return SinusoidalPositions(hidden_size, max_positions, halves=True)

        self.embedding = nn.Embedding(vocab_size, hidden_size)
        nn.init.normal_(self.embedding.weight, std=hidden_size**-0.5)
        self.encoder_positions, self.decoder_positions = positions(), positions()
        self.encoder_embedding_norm = norm() if parts.embedding_norm else nn.Identity()
        self.decoder_embedding_norm = norm() if parts.embedding_norm else nn.Identity()
        self.encoder = nn.ModuleList(layer(False) for _ in range(num_layers))
        self.decoder = nn.ModuleList(layer(True) for _ in range(decoder_layers or num_layers))
        self.encoder_norm = norm() if parts.pre_norm else nn.Identity()
        self.decoder_norm = norm() if parts.pre_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        if parts.logits_bias:  # not trained in transformers either
            self.register_buffer("logits_bias", torch.zeros(vocab_size))

    def encode(self, source: Tensor, source_length: Tensor) -> tuple[Tensor, Tensor]:
        x = self.encoder_positions(self.embedding(source) * self.scale)  # (B, S, D)
        x = self.dropout(self.encoder_embedding_norm(x))
        mask = length_mask(source_length, source.shape[1])
        for layer in self.encoder:
            x = layer(x, mask)
        return self.encoder_norm(x), source_length

    def decode(
        self, target_in: Tensor, memory: tuple[Tensor, Tensor], state: DecoderState | None = None
    ) -> tuple[Tensor, DecoderState]:
        """Continues from ``state`` (None: the beginning), which is changed in place: (B, T) -> logits (B, T, V)."""
        state = state or DecoderState(len(self.decoder), with_memory=True)
        return self._decode(target_in, memory, state), state

    def _decode(self, target_in: Tensor, memory: tuple[Tensor, Tensor], state: DecoderState | None) -> Tensor:
        encoded, length = memory
        mask = length_mask(length, encoded.shape[1])
        x = self.decoder_positions(self.embedding(target_in) * self.scale, state.length if state else 0)
        x = self.dropout(self.decoder_embedding_norm(x))  # (B, T, D)
        for index, layer in enumerate(self.decoder):
            x = layer(x, memory=encoded, memory_mask=mask, caches=state.layer(index) if state else None)
        return nn.functional.linear(self.decoder_norm(x), self.embedding.weight, getattr(self, "logits_bias", None))

    def forward(self, source: Tensor, source_length: Tensor, target_in: Tensor) -> Tensor:
        return self._decode(target_in, self.encode(source, source_length), None)

    # -- transformers' weights ----------------------------------------------------------------------------------------

    def sizes(self) -> dict[str, Any]:
        """The arguments that decide whether weights fit."""
        first: Any = self.encoder[0]
        sizes = {
            "variant": self.variant,
            "vocab_size": self.embedding.num_embeddings,
            "hidden_size": self.embedding.embedding_dim,
            "num_heads": first.attention.num_heads,
            "ffn_size": first.feed_forward.outer.in_features,
            "num_layers": len(self.encoder),
            "decoder_layers": len(self.decoder),
            "activation": self.activation,
            "scale_embedding": self.scale_embedding,
        }
        return sizes | ({"max_positions": self.max_positions} if self.variant == "mbart" else {})

    def sizes_of(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> dict[str, Any]:
        """The same of a folder of transformers'."""
        return bart_sizes(config)

    def from_published(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Transformers' tensors under the names of this network."""
        return from_bart(tensors, len(self.encoder), len(self.decoder), self.variant)
