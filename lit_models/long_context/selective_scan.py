"""The selective state-space recurrence of Mamba, as a loop over time and as a parallel scan.

Gu and Dao 2023, "Mamba: Linear-time sequence modeling with selective state spaces", 3.2 and 3.3; Blelloch 1990 for the
scan.

    h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t,   y_t = C_t h_t + D x_t

with a state h of N numbers for each of D channels. "Selective": the step delta_t and B_t, C_t depend on the token, so
that the state can skip a token (delta near 0) or be overwritten by it (delta large). A pair (a, b) stands for h -> a h
+ b; two of them in a row are again a pair, (a2 a1, a2 b1 + b2), and this is associative: pairs may be combined as a
tree, in log2(T) levels instead of T steps. On a CPU the loop is faster, since the tree reads and writes every number
several times.
"""

from typing import Literal

import torch
from torch import Tensor

from lit_models.layers.linear_scan import linear_scan
from lit_models.layers.precision import at_least_float32, full_precision

Method = Literal["sequential", "parallel"]
CHUNK = 256  # tokens whose states (B, 256, D, N) are in memory at once


def parallel_scan(decay: Tensor, drive: Tensor, start: Tensor) -> Tensor:
    """As ``linear_scan``, all states of h_t = decay_t h_{t-1} + drive_t, as a tree over time (axis 1)."""
    drive = torch.cat([drive[:, :1] + decay[:, :1] * start[:, None], drive[:, 1:]], 1)
    return _tree(decay, drive)


def _tree(decay: Tensor, drive: Tensor) -> Tensor:
    length = drive.shape[1]
    if length == 1:
        return drive
    even = length - length % 2
    first, second = decay[:, 0:even:2], decay[:, 1:even:2]
    pairs = _tree(second * first, second * drive[:, 0:even:2] + drive[:, 1:even:2])  # the states 1, 3, 5, ...
    between = decay[:, 2::2] * pairs[:, : (length - 1) // 2] + drive[:, 2::2]  # the states 2, 4, ...
    others = torch.cat([drive[:, :1], between], 1)  # 0, 2, 4, ...
    states = torch.stack([others[:, : even // 2], pairs], 2).flatten(1, 2)
    return states if even == length else torch.cat([states, others[:, -1:]], 1)


def selective_scan(
    x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, start: Tensor, method: Method = "sequential"
) -> tuple[Tensor, Tensor]:
    """y without the skip D x, and the state after the last token.

    Args:
        x, delta: (B, T, D); delta is positive.
        a: (D, N), negative.
        b, c: (B, T, N).
        start: The state before the first token (B, D, N).
        method: ``sequential`` or ``parallel``: equal in values and gradients.

    Returns:
        y (B, T, D) and the state (B, D, N), at least in single precision.
    """
    scan, parts = linear_scan if method == "sequential" else parallel_scan, []
    x, delta, a, b, c, start = (at_least_float32(t) for t in (x, delta, a, b, c, start))
    with full_precision(x):  # in bfloat16 a decay above 0.998 is 1
        for x_, delta_, b_, c_ in zip(*(t.split(CHUNK, 1) for t in (x, delta, b, c)), strict=True):
            decay = torch.exp(delta_[..., None] * a)  # (B, T, D, N)
            states = scan(decay, (delta_ * x_)[..., None] * b_[:, :, None], start)
            parts.append((states @ c_[..., None]).squeeze(-1))
            start = states[:, -1]
    return torch.cat(parts, 1), start
