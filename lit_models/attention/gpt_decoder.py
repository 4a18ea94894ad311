"""One new token at a time through a GPT, as a flat list of operations; ``dive generate`` uses it.

A generation step is short. Apart from reading the matrices, its time is Python overhead: ten modules per layer, each
with checks of hooks, shapes and branches. Here a layer is a few functions that are looked up once, and a token does not
have a time axis. Prompts are read by the network itself, and the tests compare every step with it. BENCH.md has the
speed, and the speed of the matrix products only.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lit_models.layers.attention import fused_attention
from lit_models.layers.feed_forward import FeedForward
from lit_models.layers.kv_cache import DecoderState
from lit_models.layers.packed_linear import packed
from lit_models.layers.transformer_layer import TransformerLayer

Function = Callable[[Tensor], Tensor]


class Parts(NamedTuple):
    """The functions of a layer, without the modules around them."""

    attention_norm: Function
    qkv: Function
    output: Function
    feed_forward_norm: Function
    feed_forward: Function


def parts_of(layer: TransformerLayer) -> Parts:
    mlp: Any = layer.feed_forward
    inner, outer, activation = mlp.inner.forward, mlp.outer.forward, getattr(mlp, "activation", None)

    def plain(x: Tensor) -> Tensor:
        return outer(activation.forward(inner(x)))  # type: ignore[union-attr]

    def gated(x: Tensor) -> Tensor:
        gate, through = inner(x).chunk(2, -1)
        return outer(nn.functional.silu(gate) * through)

    attention: Any = layer.attention
    return Parts(
        layer.attention_norm.forward,
        attention.qkv.forward,
        attention.output.forward,
        layer.feed_forward_norm.forward,
        plain if isinstance(mlp, FeedForward) else gated,
    )


class GPTDecoder(nn.Module):
    """A GPT that generates: tokens (B, T) and the state -> logits (B, T, V) and the state, equal to ``GPT.decode``.

    Args:
        net: Copied, and its dense layers packed (``packed``); it is neither trained nor changed.
    """

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = packed(net)
        self.parts = [parts_of(layer) for layer in self.net.layers]  # type: ignore[arg-type]
        attention: Any = self.net.layers[0].attention
        self.rotary, self.context = attention.rotary, net.context
        self.num_heads, self.groups, self.head_size = attention.num_heads, attention.groups, attention.head_size

    def forward(self, tokens: Tensor) -> Tensor:
        return self.net(tokens)

    def decode(self, tokens: Tensor, state: DecoderState | None) -> tuple[Tensor, DecoderState]:
        """As ``GPT.decode``, which is called for the rare cases: prompts, and a full context (the text then continues
        from its last half, with learned or rotary positions).
        """
        full = state is not None and 0 < self.context <= state.length
        if state is None or tokens.shape[1] > 1 or full:
            return self.net.decode(tokens, state)
        logits = self._step(tokens[:, 0], state)
        if self.context:
            state.remember(tokens, self.context // 2)
        return logits[:, None], state

    def _step(self, tokens: Tensor, state: DecoderState) -> Tensor:
        """Tokens (B,) after the past in ``state`` -> logits (B, V)."""
        net, at, heads = self.net, state.length, self.num_heads
        rows, d, turned = len(tokens), self.head_size, heads + self.groups  # rotary rotates queries and keys
        x = net.embedding.weight.index_select(0, tokens)  # (B, D)
        if net.positions is not None:
            x = x + net.positions.weight[0, at]
        for part, cache in zip(self.parts, state.own, strict=True):
            qkv = part.qkv(part.attention_norm(x)).view(rows, -1, 1, d)  # (B, H + 2 G, 1, d)
            if self.rotary is not None:
                qkv = torch.cat([self.rotary.forward(qkv[:, :turned], at), qkv[:, turned:]], 1)
            past = cache.append(qkv[:, heads:])  # (B, 2 G, K, d)
            mean = fused_attention(qkv[:, :heads], past[:, : self.groups], past[:, self.groups :])
            x = x + part.output(mean.view(rows, -1))
            x = x + part.feed_forward(part.feed_forward_norm(x))
        return net.head.forward(net.norm.forward(x))
