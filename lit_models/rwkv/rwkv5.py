"""RWKV-5.2 ("Eagle"): the state of a head is a matrix of keys by values, the output is normalized and gated.

Peng et al. 2024, "Eagle and Finch: RWKV with Matrix-Valued States and Dynamic Recurrence", 4. BlinkDL/RWKV-LM.
Departs from upstream: any head size and sequence length, networks of one layer.

    dive fit rwkv/recall --model.version 5        remember pairs, with this version

The operator is in ``lit_models/layers/wkv6.py``: version 6 differs in where the decay comes from.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.layers.precision import at_least_float32
from lit_models.layers.wkv6 import wkv6
from lit_models.rwkv.skeleton import Sizes, dense, shift

#: ln_x's epsilon: training divides y by 8 before a normalization with 1e-5, which is the same.
EPSILON = 64e-5


def decay_speed(sizes: Sizes) -> Tensor:
    """First values (C,) of ``time_decay``: the decay is exp(-exp(time_decay)), slow in the first channels."""
    return -6 + 5 * sizes.linear() ** (0.7 + 1.3 * sizes.depth)


def bonus(sizes: Sizes) -> Tensor:
    """First values (H, N) of ``time_faaaa``, the bonus of the present token."""
    zigzag = 0.1 * ((torch.arange(sizes.hidden_size) + 1) % 3 - 1)
    return (sizes.depth * (1 - sizes.linear()) + zigzag).view(sizes.heads, sizes.head_size)


class MatrixState(nn.Module):
    """What versions 5 to 7 share: a first state (H, N, N), which may be trained (state tuning).

    Args:
        sizes: See ``Sizes``.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads, self.head_size = sizes.heads, sizes.head_size
        if sizes.state_tuning:
            self.time_state = nn.Parameter(torch.zeros(self.heads, self.head_size, self.head_size))  # value by key

    def initial(self, rows: int, like: Tensor) -> tuple[Tensor]:
        state = getattr(self, "time_state", None)
        if state is None:
            return (at_least_float32(like.new_zeros(rows, self.heads, self.head_size, self.head_size)),)
        return (at_least_float32(self.oriented(state)).expand(rows, -1, -1, -1),)

    def oriented(self, state: Tensor) -> Tensor:
        """A stored first state (value, key) in the order of the operator's state: (key, value) in versions 5 and 6."""
        return state.mT

    def split(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, H, N)."""
        return x.unflatten(-1, (self.heads, self.head_size))


class TimeMix5(MatrixState):
    """output(ln_x(y) * silu(G x_g)) with y of the operator ``wkv6`` and a decay per channel. (B, T, C)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        c, now = sizes.hidden_size, sizes.channels()
        self.time_decay = nn.Parameter(decay_speed(sizes).view(sizes.heads, sizes.head_size))
        self.time_faaaa = nn.Parameter(bonus(sizes))
        self.time_mix_k = nn.Parameter(now**sizes.height)
        self.time_mix_v = nn.Parameter(now**sizes.height + 0.3 * sizes.depth)
        self.time_mix_r = nn.Parameter(now ** (0.5 * sizes.height))
        self.time_mix_g = nn.Parameter(now ** (0.5 * sizes.height))
        self.receptance, self.key, self.value, self.gate, self.output = (dense(c, c) for _ in range(5))
        self.ln_x = nn.GroupNorm(sizes.heads, c, eps=EPSILON)

    def forward(self, x: Tensor, last: Tensor, state: list[Tensor], first: None) -> tuple[Tensor, tuple[Tensor], None]:
        before = shift(x, last)
        r = self.split(self.receptance(torch.lerp(before, x, self.time_mix_r)))
        k = self.split(self.key(torch.lerp(before, x, self.time_mix_k)))
        v = self.split(self.value(torch.lerp(before, x, self.time_mix_v)))
        g = F.silu(self.gate(torch.lerp(before, x, self.time_mix_g)))
        log_w = -torch.exp(at_least_float32(self.time_decay)).expand_as(r)
        y, after = wkv6(r, k, v, log_w, self.time_faaaa, state[0])
        return self.output(normalized(self.ln_x, y).to(g.dtype) * g), (after,), first


def normalized(ln_x: nn.GroupNorm, y: Tensor) -> Tensor:
    """Each head's outputs (B, T, H, N), normalized by themselves: (B, T, C)."""
    return ln_x(y.flatten(2).flatten(0, 1).to(ln_x.weight.dtype)).view(*y.shape[:2], -1)
