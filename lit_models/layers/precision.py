"""Computations beyond half precision: bfloat16 has 8 bits, two to three digits, and rounds 2005 to 2008."""

import torch
from torch import Tensor


def full_precision(x: Tensor) -> torch.autocast:
    """A context in which computations on x's device keep the precision of their operands (no autocast)."""
    return torch.autocast(x.device.type, enabled=False)


def at_least_float32(x: Tensor) -> Tensor:
    """x unchanged in single and double precision; lower precisions are converted to single."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
