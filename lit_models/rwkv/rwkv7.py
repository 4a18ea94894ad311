"""RWKV-7 ("Goose"): the state is corrected by the delta rule, with a rate for each channel and token.

Peng et al. 2025, "RWKV-7 Goose with Expressive Dynamic State Evolution". BlinkDL/RWKV-LM, RWKV-v7/train_temp.
Departs from upstream: any head size and sequence length, networks of one layer. Layer 0 does not use its value residual
(``v0``, ``v1``, ``v2``), so they are no parameters there, which distributed training would wait for; they are kept
as buffers, since files have them. ``negative_eigenvalues`` doubles the rate at which an old value is replaced, so that
at rate 1 its sign turns instead of its being removed, which counts modulo 2 (Grazzi et al. 2025, "Unlocking
State-Tracking in Linear RNNs Through Negative Eigenvalues"); the decay then acts on what was turned too, or a state
could grow without end. Published weights do not have it.

    dive fit rwkv/recall              remember pairs, with this version

The operator is in ``lit_models/layers/wkv7.py``.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.layers.precision import at_least_float32, full_precision
from lit_models.layers.wkv7 import wkv7
from lit_models.rwkv.rwkv5 import EPSILON, MatrixState, normalized
from lit_models.rwkv.skeleton import Sizes, dense, shift

POWERS = {"r": 0.2, "w": 0.9, "k": 0.7, "v": 0.7, "a": 0.9, "g": 0.2}  # of the first mixtures


def rank(hidden_size: int, factor: float) -> int:
    """Upstream's suggestion for the rank of a low-rank matrix: factor * sqrt(C), rounded to 32s, at least 32."""
    return max(32, round(factor * math.sqrt(hidden_size) / 32) * 32)


def low_rank(inputs: int, inner: int) -> Tensor:
    """First values (inner, C) of the second of two low-rank matrices; the first one is zero."""
    tall = math.sqrt(max(1.0, inner / inputs))
    return nn.init.orthogonal_(torch.empty(inner, inputs), 0.1 * tall)


class TimeMix7(MatrixState):
    """output((ln_x(y) + (r k r_k) v) * g) with y of the operator ``wkv7``. (B, T, C)."""

    w0: Tensor
    w1: Tensor
    w2: Tensor
    a0: Tensor
    a1: Tensor
    a2: Tensor
    v0: Tensor
    v1: Tensor
    v2: Tensor
    g1: Tensor
    g2: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        c, n = sizes.hidden_size, sizes.head_size
        for name, power in POWERS.items():
            self.register_parameter(f"x_{name}", nn.Parameter(1 - sizes.channels() ** (power * sizes.height)))
        linear = sizes.linear() - 0.5
        zigzag = (torch.arange(c) % n) / max(1, n - 1) * 2 - 1
        zigzag = zigzag * zigzag.abs()
        decay = -6 + 6 * sizes.linear() ** (1 + sizes.depth**0.3)
        first = {"w": decay + 0.5 + 2.5 * zigzag, "a": -0.19 + 0.3 * zigzag + 0.4 * linear, "v": 0.73 - 0.4 * linear}
        for name, inner in sizes.ranks.items():
            values = {f"{name}1": torch.zeros(c, inner), f"{name}2": low_rank(c, inner)}
            if name in first:
                values[f"{name}0"] = first[name].view(1, 1, c)
            for key, value in values.items():
                if name == "v" and sizes.layer == 0:
                    self.register_buffer(key, value)
                else:
                    self.register_parameter(key, nn.Parameter(value))
        self.k_k = nn.Parameter((0.71 - 0.1 * linear).view(1, 1, c))
        self.k_a = nn.Parameter(torch.full((1, 1, c), 1.02))
        self.r_k = nn.Parameter(torch.full((sizes.heads, n), -0.04))
        self.turns = sizes.negative_eigenvalues
        self.receptance, self.key, self.value, self.output = (dense(c, c) for _ in range(4))
        self.ln_x = nn.GroupNorm(sizes.heads, c, eps=EPSILON)

    def oriented(self, state: Tensor) -> Tensor:
        return state  # (value, key), as the operator's

    def forward(
        self, x: Tensor, last: Tensor, state: list[Tensor], first: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor], Tensor]:
        delta = shift(x, last) - x
        mixed = {name: x + delta * getattr(self, f"x_{name}") for name in POWERS}
        r, k, v = self.receptance(mixed["r"]), self.key(mixed["k"]), self.value(mixed["v"])
        if first is None:
            first = v
        else:  # layer 0's values come back
            v = v + (first - v) * torch.sigmoid(self.v0 + mixed["v"] @ self.v1 @ self.v2)
        rate = torch.sigmoid(self.a0 + mixed["a"] @ self.a1 @ self.a2)  # how much of an old value is replaced
        g = torch.sigmoid(mixed["g"] @ self.g1) @ self.g2
        log_w = self.log_decay(torch.tanh(mixed["w"] @ self.w1) @ self.w2)
        kk = F.normalize(self.split(k * self.k_k), dim=-1)  # of the key before it is scaled
        k = k * (1 + (rate - 1) * self.k_a)
        r, k, v, rate = (self.split(t) for t in (r, k, v, rate))
        log_w = self.split(log_w)
        b = 2 * kk * rate * log_w.exp() if self.turns else kk * rate
        y, after = wkv7(r, log_w, k, v, -kk, b, state[0])
        now = (r * k * self.r_k).sum(-1, keepdim=True) * v  # what the present token adds to its own output
        return self.output((normalized(self.ln_x, y) + now.flatten(2)).to(g.dtype) * g), (after,), first

    def log_decay(self, more: Tensor) -> Tensor:
        """log w = -exp(-softplus(-(w0 + more)) - 1/2), which is between -0.61 and 0. In float32."""
        with full_precision(more):
            return -torch.exp(-0.5 + F.logsigmoid(at_least_float32(self.w0) + at_least_float32(more)))


class ChannelMix7(nn.Module):
    """The ffn of version 7, without a gate: V relu(K x_k)^2. (B, T, C) -> (B, T, C).

    Args:
        sizes: See ``Sizes``.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.x_k = nn.Parameter(1 - sizes.channels() ** sizes.height**4)
        self.key, self.value = dense(sizes.hidden_size, sizes.ffn_size), dense(sizes.ffn_size, sizes.hidden_size)

    def forward(self, x: Tensor, last: Tensor) -> Tensor:
        return self.value(torch.relu(self.key(x + (shift(x, last) - x) * self.x_k)) ** 2)


def ranks7(hidden_size: int) -> dict[str, int]:
    """The ranks of decay, rate, value residual and gate."""
    factors: dict[str, Any] = {"w": 2.5, "a": 2.5, "v": 1.7, "g": 5}
    return {name: rank(hidden_size, factor) for name, factor in factors.items()}
