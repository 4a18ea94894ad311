"""The transformer: translation with nothing but attention.

Vaswani et al. 2017, "Attention is all you need". D2L 11.7.
Departs from the book: two errors are corrected. Its causal mask is used in training only, so that in validation the
decoder sees the tokens that it predicts; and its decoder gives position 0 to every generated token. Embeddings are
initialized with variance 1/D, so that they have variance 1 after the factor sqrt(D). The paper's tied embeddings,
warm-up (``lit_models.tasks.schedules.Noam``) and label smoothing are arguments; ``pre_norm`` is the later form.

    dive fit attention/transformer             dates, times and amounts in seven languages, offline
    dive fit attention/transformer_fra_eng     the book's recipe
    dive fit attention/transformer_multi30k    captions, English to German

The numbers they reach are in RESULTS.md.
"""

import math
from typing import Literal

from torch import Tensor, nn

from lit_models.layers.attention import length_mask
from lit_models.layers.feed_forward import Activation, FeedForward
from lit_models.layers.kv_cache import DecoderState
from lit_models.layers.multi_head import MultiHeadAttention
from lit_models.layers.positions import SinusoidalPositions
from lit_models.layers.transformer_layer import TransformerLayer
from lit_models.tasks.seq2seq import Seq2Seq
from lit_models.tasks.trains import trains

Memory = tuple[Tensor, ...]  # the encoder's output (B, S, D), and the sources' lengths (B,)


class Transformer(nn.Module):
    """source (B, S), source_length (B,), target_in (B, T) -> logits (B, T, V).

    Args:
        source_vocab_size, target_vocab_size: Numbers of tokens.
        hidden_size: Features D of a token, an even number.
        num_layers: Layers of the encoder and of the decoder.
        num_heads: Heads of each attention.
        ffn_size: Inner features of the feed-forward part.
        dropout: Of embeddings, attention weights, inner features and each part's output.
        pre_norm: Normalize before each part, and once at the end; else after each part, as the paper and the book.
        bias: Biases of the attentions' projections; the book has none.
        activation: Of the feed-forward part.
        tied: ``output``: the target's embedding is the output matrix; ``all``: the source's too, as in the paper, for
            one vocabulary (``data.shared``).
        positions: Without them a source is a bag of tokens.
        causal: Without it the decoder sees the token that it predicts, as in the book's evaluation.

    Raises:
        ValueError: ``tied`` is ``all`` and the vocabularies have different sizes.
    """

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        hidden_size: int = 256,
        num_layers: int = 2,
        num_heads: int = 4,
        ffn_size: int = 64,
        dropout: float = 0.2,
        pre_norm: bool = False,
        bias: bool = False,
        activation: Activation = "relu",
        tied: Literal["no", "output", "all"] = "no",
        positions: bool = True,
        causal: bool = True,
    ) -> None:
        super().__init__()
        if tied == "all" and source_vocab_size != target_vocab_size:
            raise ValueError(
                f"tied: all needs one vocabulary, not {source_vocab_size} and {target_vocab_size} tokens: "
                "--data.shared true"
            )

        def norm() -> nn.Module:
            return nn.LayerNorm(hidden_size)

        def attention(causal: bool = False) -> MultiHeadAttention:
            return MultiHeadAttention(hidden_size, num_heads, dropout=dropout, bias=bias, causal=causal)

        def layer(decoder: bool) -> TransformerLayer:
            ffn = FeedForward(hidden_size, ffn_size, activation, dropout)
            memory = attention() if decoder else None
            return TransformerLayer(attention(decoder and causal), ffn, norm, memory, pre_norm, dropout)

        self.scale = math.sqrt(hidden_size)
        self.source_embedding = nn.Embedding(source_vocab_size, hidden_size)
        self.target_embedding = nn.Embedding(target_vocab_size, hidden_size)
        self.positions = SinusoidalPositions(hidden_size) if positions else None
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.ModuleList(layer(False) for _ in range(num_layers))
        self.decoder = nn.ModuleList(layer(True) for _ in range(num_layers))
        self.encoder_norm = norm() if pre_norm else nn.Identity()
        self.decoder_norm = norm() if pre_norm else nn.Identity()
        self.head = nn.Linear(hidden_size, target_vocab_size)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=1 / self.scale)
            elif isinstance(module, FeedForward):
                nn.init.xavier_uniform_(module.inner.weight)
                nn.init.xavier_uniform_(module.outer.weight)
        if tied != "no":
            self.head.weight = self.target_embedding.weight
        if tied == "all":
            self.source_embedding.weight = self.target_embedding.weight

    def embed(self, tokens: Tensor, embedding: nn.Embedding, offset: int = 0) -> Tensor:
        """(B, T) -> (B, T, D): the first token has position ``offset``."""
        x = embedding(tokens) * self.scale
        return self.dropout(x if self.positions is None else self.positions(x, offset))

    def encode(self, source: Tensor, source_length: Tensor) -> Memory:
        x = self.embed(source, self.source_embedding)  # (B, S, D)
        mask = length_mask(source_length, source.shape[1])
        for layer in self.encoder:
            x = layer(x, mask)
        return self.encoder_norm(x), source_length

    def decode(
        self, target_in: Tensor, memory: Memory, state: DecoderState | None = None
    ) -> tuple[Tensor, DecoderState]:
        """Continues from ``state`` (None: the beginning), which is changed in place: (B, T) -> logits (B, T, V)."""
        state = state or DecoderState(len(self.decoder), with_memory=True)
        return self._decode(target_in, memory, state), state

    def _decode(self, target_in: Tensor, memory: Memory, state: DecoderState | None) -> Tensor:
        return self.output(self.decoded(target_in, memory, state), memory)

    def decoded(self, target_in: Tensor, memory: Memory, state: DecoderState | None) -> Tensor:
        """The decoder's output (B, T, D), normalized."""
        encoded, length = memory[:2]
        mask = length_mask(length, encoded.shape[1])
        x = self.embed(target_in, self.target_embedding, state.length if state else 0)  # (B, T, D)
        for index, layer in enumerate(self.decoder):
            x = layer(x, memory=encoded, memory_mask=mask, caches=state.layer(index) if state else None)
        return self.decoder_norm(x)

    def output(self, x: Tensor, memory: Memory) -> Tensor:
        """The decoder's output (B, T, D) -> logits (B, T, V)."""
        return self.head(x)

    def forward(self, source: Tensor, source_length: Tensor, target_in: Tensor) -> Tensor:
        return self._decode(target_in, self.encode(source, source_length), None)


@trains(Transformer)
class LitTransformer(Seq2Seq):
    """The transformer trained to translate."""
