"""Drawing from a fixed distribution in constant time: two random numbers, however many outcomes there are.

Walker 1977, "An efficient method for generating discrete random variables with general distributions"; Vose 1991, "A
linear algorithm for generating random numbers with a given distribution". Of V outcomes of unequal probability, V
columns of equal width are made, each of at most two outcomes: a column is drawn, then one of its two.
"""

import torch
from torch import Tensor


def alias_tables(weights: Tensor) -> tuple[Tensor, Tensor]:
    """The columns' tables: with which probability a column's own outcome counts (V,), and the other one (V,) int64.

    Args:
        weights: (V,), not negative, with a positive sum; an outcome of weight 0 is never drawn.
    """
    scaled = (weights.double() * (len(weights) / weights.double().sum())).tolist()
    own, other = [1.0] * len(scaled), list(range(len(scaled)))
    small = [k for k, share in enumerate(scaled) if share < 1]
    large = [k for k, share in enumerate(scaled) if share >= 1]
    while small and large:
        k, rich = small.pop(), large[-1]
        own[k], other[k] = scaled[k], rich
        scaled[rich] -= 1 - scaled[k]  # the rest of the column is taken from it
        if scaled[rich] < 1:
            small.append(large.pop())
    # what is left over is a full column but for rounding, and none has weight 0: a large one remains while one does
    return torch.tensor(own, device=weights.device), torch.tensor(other, device=weights.device)


def alias_draw(own: Tensor, other: Tensor, *size: int) -> Tensor:
    """Outcomes of the given shape, int64, from the tables of ``alias_tables``, on their device."""
    count = int(torch.Size(size).numel())
    column = torch.randint(len(own), (count,), device=own.device)
    keep = torch.rand(count, device=own.device) < own.index_select(0, column)
    return torch.where(keep, column, other.index_select(0, column)).view(size)
