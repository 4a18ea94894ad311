"""Where half precision is too coarse: bfloat16 has 8 bits, two to three digits, and rounds 2005 to 2008."""

import torch
from torch import Tensor


def full_precision(x: Tensor) -> torch.autocast:
    """A context in which nothing on x's device is computed in a lower precision than its operands have."""
    return torch.autocast(x.device.type, enabled=False)


def at_least_float32(x: Tensor) -> Tensor:
    """x itself in single and double precision, single precision out of a lower one."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
