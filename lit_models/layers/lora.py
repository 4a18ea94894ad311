"""LoRA: a trained network learns a task through small matrices beside its own, which stay as they are.

Hu et al. 2022, "LoRA: low-rank adaptation of large language models". Query and value of each attention, as they did.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LoRALinear(nn.Linear):
    """W x + b + (alpha / rank) B A x; only A and B are trained. At the start B is zero: nothing is changed.

    Args:
        linear: The layer whose weights are taken and frozen.
        rank: Rows of A.
        alpha: Weight of the change.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None)
        self.weight, self.bias = linear.weight, linear.bias
        self.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.empty(rank, linear.in_features))
        self.lora_b = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.scale * F.linear(F.linear(x, self.lora_a), self.lora_b)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """A plain layer with the same output."""
        plain = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None)
        plain.to(self.weight).weight.copy_(self.weight + self.scale * self.lora_b @ self.lora_a)
        if self.bias is not None:
            plain.bias.copy_(self.bias)
        return plain


def add_lora(net: nn.Module, rank: int, alpha: float, names: tuple[str, ...] = ("query", "value")) -> None:
    """Freezes a network and gives its layers of these names the small matrices."""
    net.requires_grad_(False)
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if name in names and isinstance(child, nn.Linear):
                setattr(module, name, LoRALinear(child, rank, alpha))


def merge_lora(net: nn.Module) -> int:
    """Replaces every such layer by a plain one with the same output; returns how many there were."""
    count = 0
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, LoRALinear):
                setattr(module, name, child.merged())
                count += 1
    return count
