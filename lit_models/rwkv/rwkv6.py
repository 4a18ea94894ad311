"""RWKV-6 ("Finch"): the decay and the mixture with the token before depend on the token, by low-rank matrices.

Peng et al. 2024, "Eagle and Finch: RWKV with Matrix-Valued States and Dynamic Recurrence", 5. BlinkDL/RWKV-LM.
Departs from upstream: any head size and sequence length, networks of one layer.

    dive fit rwkv/recall --model.version 6        remember pairs, with this version

``time_maa`` weighs the past; ``time_mix`` of versions 4 and 5 weighs the present. The operator is in
``lit_models/layers/wkv6.py``.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.layers.precision import at_least_float32
from lit_models.layers.wkv6 import wkv6
from lit_models.rwkv.rwkv5 import EPSILON, MatrixState, bonus, decay_speed, normalized
from lit_models.rwkv.skeleton import Sizes, dense, shift

PARTS = "wkvrg"  # the order of the five mixtures in ``time_maa_w1`` and ``time_maa_w2``


class TimeMix6(MatrixState):
    """As version 5, with decay and mixtures of each token. (B, T, C)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        c, now, mix, decay = sizes.hidden_size, sizes.channels(), sizes.ranks["mix"], sizes.ranks["decay"]
        plain, half = now**sizes.height, now ** (0.5 * sizes.height)
        first = {"w": plain, "k": plain, "v": plain + 0.3 * sizes.depth, "r": half, "g": half}
        self.time_maa_x = nn.Parameter(1 - plain)
        for part in PARTS:
            self.register_parameter(f"time_maa_{part}", nn.Parameter(1 - first[part]))
        self.time_maa_w1 = nn.Parameter(torch.zeros(c, 5 * mix))
        self.time_maa_w2 = nn.Parameter(torch.empty(5, mix, c).uniform_(-0.01, 0.01))
        self.time_decay = nn.Parameter(decay_speed(sizes).view(1, 1, c))
        self.time_decay_w1 = nn.Parameter(torch.zeros(c, decay))
        self.time_decay_w2 = nn.Parameter(torch.empty(decay, c).uniform_(-0.01, 0.01))
        self.time_faaaa = nn.Parameter(bonus(sizes))
        self.receptance, self.key, self.value, self.gate, self.output = (dense(c, c) for _ in range(5))
        self.ln_x = nn.GroupNorm(sizes.heads, c, eps=EPSILON)

    def forward(self, x: Tensor, last: Tensor, state: list[Tensor], first: None) -> tuple[Tensor, tuple[Tensor], None]:
        delta = shift(x, last) - x
        low = torch.tanh((x + delta * self.time_maa_x) @ self.time_maa_w1)  # (B, T, 5 * rank)
        more = torch.einsum("btpr,prc->pbtc", low.unflatten(-1, (5, -1)), self.time_maa_w2)
        mixed = {p: x + delta * (getattr(self, f"time_maa_{p}") + more[i]) for i, p in enumerate(PARTS)}
        r, k = self.split(self.receptance(mixed["r"])), self.split(self.key(mixed["k"]))
        v, g = self.split(self.value(mixed["v"])), F.silu(self.gate(mixed["g"]))
        faster = torch.tanh(mixed["w"] @ self.time_decay_w1) @ self.time_decay_w2
        log_w = -torch.exp(at_least_float32(self.time_decay) + at_least_float32(faster))
        y, after = wkv6(r, k, v, self.split(log_w), self.time_faaaa, state[0])
        return self.output(normalized(self.ln_x, y).to(g.dtype) * g), (after,), first
