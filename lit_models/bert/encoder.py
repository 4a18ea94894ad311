"""BERT's encoder, with the names and the numbers of Hugging Face's ``BertModel``: it reads published weights.

Devlin et al. 2019, "BERT: pre-training of deep bidirectional transformers". D2L 15.8.
Departs from the book: 768 features are GELU's, not ReLU's; LayerNorm has epsilon 1e-12; padding is derived from the
tokens, and so are the segments: a token belongs to segment 1 after the first ``[SEP]``.
"""

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lit_models.layers.attention import dot_product_attention, fused_attention
from lit_models.layers.positions import SinusoidalPositions

EPSILON = 1e-12  # of LayerNorm
STD = 0.02  # of the initial weights


class Embeddings(nn.Module):
    """tokens, segments (B, T) -> (B, T, D): the sum of three vectors, normalized.

    Args:
        vocab_size, hidden_size, max_length, pad_id, dropout: See ``Bert``.
    """

    def __init__(self, vocab_size: int, hidden_size: int, max_length: int, pad_id: int, dropout: float) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, hidden_size, padding_idx=pad_id)
        self.position_embeddings = nn.Embedding(max_length, hidden_size)
        self.token_type_embeddings = nn.Embedding(2, hidden_size)
        self.LayerNorm = nn.LayerNorm(hidden_size, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, segments: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.word_embeddings(tokens) + self.token_type_embeddings(segments) + self.position_embeddings(places)
        return self.dropout(self.LayerNorm(x))


class SelfAttention(nn.Module):
    """(B, T, D), mask (B, 1, 1, T) -> (B, T, D): each token's mean of all real tokens' values, head by head.

    Args:
        hidden_size, num_heads, dropout: See ``Bert``.
    """

    def __init__(self, hidden_size: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.query = nn.Linear(hidden_size, hidden_size)
        self.key = nn.Linear(hidden_size, hidden_size)
        self.value = nn.Linear(hidden_size, hidden_size)
        self.need_weights = False
        self.weights: Tensor | None = None  # (B, H, T, T) of the last call, if they are needed

    def heads(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, H, T, D / H)."""
        return x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            p(x).unflatten(2, (self.num_heads, -1)).transpose(1, 2) for p in (self.query, self.key, self.value)
        )
        dropout = self.dropout if self.training else 0.0
        if self.need_weights:
            mean, self.weights = dot_product_attention(query, key, value, mask, dropout)
        else:
            mean = fused_attention(query, key, value, mask, dropout)
        return mean.transpose(1, 2).flatten(2)


class Output(nn.Module):
    """A dense layer, dropout, the residual connection, LayerNorm.

    Args:
        size: Features of the dense layer's input.
        hidden_size, dropout: See ``Bert``.
    """

    def __init__(self, size: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(size, hidden_size)
        self.LayerNorm = nn.LayerNorm(hidden_size, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inner: Tensor, x: Tensor) -> Tensor:
        return self.LayerNorm(x + self.dropout(self.dense(inner)))


class Attention(nn.Module):
    """Self-attention and its output.

    Args:
        hidden_size, num_heads, dropout: See ``Bert``.
    """

    def __init__(self, hidden_size: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.self = SelfAttention(hidden_size, num_heads, dropout)
        self.output = Output(hidden_size, hidden_size, dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.output(self.self(x, mask), x)


class Dense(nn.Module):
    """A dense layer and a non-linearity.

    Args:
        inputs, outputs: Features.
        activation: The non-linearity.
    """

    def __init__(self, inputs: int, outputs: int, activation: nn.Module) -> None:
        super().__init__()
        self.dense, self.activation = nn.Linear(inputs, outputs), activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.dense(x))


class Layer(nn.Module):
    """One layer, normalized after each part, as the transformer of 2017.

    Args:
        hidden_size, num_heads, ffn_size, dropout: See ``Bert``.
    """

    def __init__(self, hidden_size: int, num_heads: int, ffn_size: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(hidden_size, num_heads, dropout)
        self.intermediate = Dense(hidden_size, ffn_size, nn.GELU())  # exact, not GPT-2's approximation
        self.output = Output(ffn_size, hidden_size, dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.attention(x, mask)
        return self.output(self.intermediate(x), x)


class Encoder(nn.Module):
    """The layers, one after the other.

    Args:
        num_layers: Their number.
        *sizes: The arguments of each ``Layer``.
    """

    def __init__(self, num_layers: int, *sizes: Any) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(*sizes) for _ in range(num_layers))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        for layer in self.layer:
            x = layer(x, mask)
        return x


class Bert(nn.Module):
    """tokens (B, T) -> the states of all tokens (B, T, D) and the pooled state of the first (B, D).

    Args:
        vocab_size: Number of tokens.
        hidden_size: Features D of a token.
        num_layers, num_heads: Layers, and heads of each attention.
        ffn_size: Inner features; 0 means four times ``hidden_size``.
        max_length: Longest text, in tokens.
        dropout: Of embeddings, attention weights and each part's output.
        pad_id, sep_id: Ids of padding, at the end of a text, and of the token that ends a sentence.
        pooler: The dense layer and tanh over the first token's state; else that state itself is the second output.
        init_std: Deviation of the initial weights. 0.02 is the published one, near 1/sqrt(hidden_size) of 768 features;
            with few features attention is then uniform for long, and 1/sqrt(hidden_size) learns.
        init_positions: Whether the positions start ``random``, as published, or as the ``sinusoids`` of Vaswani et al.
            with the same deviation. A shift by some tokens is then one linear map for all positions, and a small
            network finds "the token before" much sooner. They are trained in either case.

    Raises:
        ValueError: The heads do not divide the features.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int = 128,
        num_layers: int = 2,
        num_heads: int = 2,
        ffn_size: int = 0,
        max_length: int = 512,
        dropout: float = 0.1,
        pad_id: int = 0,
        sep_id: int = 102,
        pooler: bool = True,
        init_std: float = STD,
        init_positions: Literal["random", "sinusoids"] = "random",
    ) -> None:
        super().__init__()
        if hidden_size % num_heads:
            raise ValueError(f"hidden_size {hidden_size} is not a multiple of num_heads {num_heads}")
        ffn_size = ffn_size or 4 * hidden_size
        self.arguments = {"vocab_size": vocab_size, "hidden_size": hidden_size, "num_layers": num_layers}
        self.arguments |= {"num_heads": num_heads, "ffn_size": ffn_size, "max_length": max_length}
        self.pad_id, self.sep_id = pad_id, sep_id
        self.embeddings = Embeddings(vocab_size, hidden_size, max_length, pad_id, dropout)
        self.encoder = Encoder(num_layers, hidden_size, num_heads, ffn_size, dropout)
        self.pooler = Dense(hidden_size, hidden_size, nn.Tanh()) if pooler else None
        self.apply(partial(initialize, std=init_std))
        if init_positions == "sinusoids":
            table = SinusoidalPositions(hidden_size, max_length).table[:max_length]
            with torch.no_grad():  # sin^2 + cos^2 = 1: the mean square of a feature is 1/2
                self.embeddings.position_embeddings.weight.copy_(table * init_std * 2**0.5)

    def segments(self, tokens: Tensor) -> Tensor:
        """Tokens (B, T) -> 1 for those after the first ``sep_id`` that are not padding, else 0."""
        ends = (tokens == self.sep_id).long()
        return ((ends.cumsum(1) - ends > 0) & (tokens != self.pad_id)).long()

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        real = tokens != self.pad_id
        x = self.embeddings(tokens, self.segments(tokens))
        states = self.encoder(x, real[:, None, None])
        return states, states[:, 0] if self.pooler is None else self.pooler(states[:, 0])


def initialize(module: nn.Module, std: float = STD) -> None:
    """Normal weights of deviation 0.02, zero biases, as published; padding is zero."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=std)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        nn.init.zeros_(module.weight[module.padding_idx])


def mean_pooled(states: Tensor, real: Tensor) -> Tensor:
    """The mean of the states (B, T, D) of real tokens (B, T) -> (B, D): the vector of a sentence (Reimers 2019)."""
    weight = real.unsqueeze(-1).to(states.dtype)
    return (states * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
