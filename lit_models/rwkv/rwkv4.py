"""RWKV-4: an average of all past values, whose weights fall at a rate of each channel's own, as a recurrent network.

Peng et al. 2023, "RWKV: Reinventing RNNs for the Transformer Era". BlinkDL/RWKV-LM. Initial values from RWKV-LM.
Departs from upstream: networks of one layer work; any sequence length.

    dive fit rwkv/recall --model.version 4        remember pairs, with this version

The operator is in ``lit_models/layers/wkv4.py``.
"""

import math

import torch
from torch import Tensor, nn

from lit_models.layers.precision import at_least_float32
from lit_models.layers.wkv4 import State4, initial_state4, wkv4
from lit_models.rwkv.skeleton import Sizes, dense, shift


class TimeMix4(nn.Module):
    """output(sigmoid(R x_r) * wkv(K x_k, V x_v)), each x a mixture of the token and the one before. (B, T, C).

    Args:
        sizes: See ``Sizes``.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        c, now = sizes.hidden_size, sizes.channels()
        fast = -5 + 8 * sizes.linear() ** (0.7 + 1.3 * sizes.depth)
        self.time_decay = nn.Parameter(fast)  # w = -exp(time_decay)
        self.time_first = nn.Parameter(math.log(0.3) + 0.5 * ((torch.arange(c) + 1) % 3 - 1))  # u
        self.time_mix_k = nn.Parameter(now**sizes.height)
        self.time_mix_v = nn.Parameter(now**sizes.height + 0.3 * sizes.depth)
        self.time_mix_r = nn.Parameter(now ** (0.5 * sizes.height))
        self.key, self.value, self.receptance, self.output = (dense(c, c) for _ in range(4))

    def initial(self, rows: int, like: Tensor) -> State4:
        return initial_state4(rows, self.time_decay.shape[0], like)

    def forward(self, x: Tensor, last: Tensor, state: list[Tensor], first: None) -> tuple[Tensor, State4, None]:
        before = shift(x, last)
        k = self.key(torch.lerp(before, x, self.time_mix_k))  # mix * x + (1 - mix) * before
        v = self.value(torch.lerp(before, x, self.time_mix_v))
        r = torch.sigmoid(self.receptance(torch.lerp(before, x, self.time_mix_r)))
        a, b, p = state
        w = -torch.exp(at_least_float32(self.time_decay))
        y, after = wkv4(k, v, w, self.time_first, (a, b, p))
        return self.output(r * y.to(r.dtype)), after, first
