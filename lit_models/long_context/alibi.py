"""ALiBi: no positions in the tokens; a score falls with the distance, in each head at another rate.

Press et al. 2021, "Train short, test long: attention with linear biases enables input length extrapolation".

A score q . k / sqrt(d) becomes q . k / sqrt(d) - m (i - j), with a slope m of each head: 2^(-8 h / H) for h = 1 ... H
where H is a power of two. For other H the slopes of the next smaller power of two come first, then every second one of
twice as many.
"""

import torch
from torch import Tensor


def alibi_slopes(num_heads: int) -> Tensor:
    """The slopes (H,), in double precision."""
    power = 1 << (num_heads.bit_length() - 1)  # the largest power of two up to H
    first = 2.0 ** (-8 * torch.arange(1, power + 1, dtype=torch.float64) / power)
    between = 2.0 ** (-4 * (2 * torch.arange(num_heads - power, dtype=torch.float64) + 1) / power)
    return torch.cat([first, between])


def alibi_bias(slopes: Tensor, distances: Tensor) -> Tensor:
    """What is added to scores: slopes (H,), distances (Q, K) of a query to earlier keys -> (H, Q, K)."""
    return -slopes[:, None, None] * distances
