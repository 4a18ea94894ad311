"""Dense layers with a memory layout for generation, where a step multiplies a matrix by one row or by a few.

A step reads every matrix once and computes little with it, so its time is the time of reading memory. One row is
fastest with the matrix in the order whose inner loop is the longer one: as (in, out) where there are more outputs than
inputs, as (out, in) where there are fewer. Several rows are fastest in the blocked order of oneDNN, whose kernels
PyTorch uses for a plain ``nn.Linear`` in half precision only (``torch.compile`` uses them when it freezes a network).
The speed-up of generation is in BENCH.md.
"""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Net = TypeVar("Net", bound=nn.Module)


class PackedLinear(nn.Module):
    """``linear`` in single precision on a CPU: (..., in) -> (..., out), without gradients.

    Its matrices are not parameters: the network that contains it only generates; it is neither trained nor saved.

    Args:
        linear: The layer whose weights are copied.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        narrow = self.out_features < self.in_features
        self.ordered = weight.contiguous().clone() if narrow else weight.t().contiguous().t()  # (out, in), for one row
        self.blocked = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS)
        self.bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        if x.numel() == self.in_features:
            return F.linear(x, self.ordered, self.bias)
        return torch.ops.mkldnn._linear_pointwise.default(x, self.blocked, self.bias, "none", [], "")


ROWS = 16  # for which oneDNN chooses the order of the blocks


def packed(net: Net) -> Net:
    """A copy of ``net`` whose dense layers are packed; a plain copy if packing does not help (a GPU, half precision).

    For networks that call their dense layers: attention to an encoder's memory uses parts of its matrix instead.
    """
    net = copy.deepcopy(net).eval()
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear) and packable(child.weight):
                setattr(module, name, PackedLinear(child))
    return net


def packable(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype == torch.float32 and torch.backends.mkldnn.is_available()
