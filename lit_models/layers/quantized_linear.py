"""Dense layers whose weights are stored in 8 or 4 bits and computed with in full precision (weight-only quantization).

Dettmers et al. 2022, "LLM.int8()", 3, for whole numbers with a scale per row; Frantar et al. 2022, "GPTQ", 4, for
groups of weights with a scale each. Rounding is to the nearest number; no data are used.

A group of weights w becomes whole numbers q = round(w / s), with s = max|w| / 127 for 8 bits and max|w| / 7 for 4, in
which two numbers share a byte. The largest error of a weight is s / 2.
"""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Net = TypeVar("Net", bound=nn.Module)
GROUP = 32  # weights of a row that share a scale in 4 bits; in 8 bits a whole row does


def quantize(weight: Tensor, bits: int, group: int) -> tuple[Tensor, Tensor]:
    """Weights (O, I) as whole numbers (O, I / group, group) int8 and scales (O, I / group, 1).

    A group of zeros has the scale 1.
    """
    most = 2 ** (bits - 1) - 1  # symmetric: -127 ... 127, -7 ... 7
    groups = weight.detach().unflatten(1, (-1, group))
    scale = groups.abs().amax(2, keepdim=True) / most
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (groups / scale).round().clamp(-most, most).to(torch.int8), scale


def pack(whole: Tensor) -> Tensor:
    """Whole numbers (..., n) of -8 to 7, n even, as bytes (..., n / 2): the first of two in the low half."""
    low, high = (whole + 8).to(torch.uint8).unflatten(-1, (-1, 2)).unbind(-1)
    return low | (high << 4)


def unpack(packed: Tensor) -> Tensor:
    """The inverse of ``pack``."""
    return torch.stack([packed & 15, packed >> 4], -1).flatten(-2).to(torch.int8) - 8


class QuantizedLinear(nn.Module):
    """``linear`` with weights of few bits: (..., in) -> (..., out), without gradients of the weights.

    Args:
        linear: The layer whose weights are rounded.
        bits: 8 or 4.
    """

    whole: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear, bits: int) -> None:
        super().__init__()
        self.bits, self.in_features, self.out_features = bits, linear.in_features, linear.out_features
        fits = bits == 4 and linear.in_features % GROUP == 0
        whole, scale = quantize(linear.weight, bits, GROUP if fits else linear.in_features)
        self.packed = bits == 4 and whole.shape[2] % 2 == 0
        self.register_buffer("whole", pack(whole) if self.packed else whole)
        self.register_buffer("scale", scale)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach(), requires_grad=False)

    @property
    def weight(self) -> Tensor:
        """The rounded weights (out, in)."""
        return ((unpack(self.whole) if self.packed else self.whole).to(self.scale.dtype) * self.scale).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


def quantized(net: Net, bits: int) -> Net:
    """A copy of ``net`` whose dense layers have weights of ``bits`` bits; embeddings and other parameters stay."""
    net = copy.deepcopy(net).eval()
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, QuantizedLinear(child, bits))
    return net


def stored_bytes(net: nn.Module) -> int:
    """Bytes of all parameters and buffers."""
    tensors = {id(t): t for t in (*net.parameters(), *net.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())
