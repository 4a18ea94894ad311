"""Blocks made of blocks: a Sequential by hand, parallel branches, a block with a constant and a loop of its own.

D2L 6.1.
Departs from the book: its ``MySequential`` walks over ``children()``, which names each module once, so that a layer
listed twice runs once; here every entry runs. The constant weight of its ``FixedHiddenMLP`` is a plain attribute, which
is neither saved nor moved to a device; here it is a buffer. Its loop halves the whole batch until the batch's sum is
small, so that the output for a sample depends on its neighbors; here each row is halved separately.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn


class Sequential(nn.Module):
    """``nn.Sequential`` by hand: children are registered under their numbers and called in order."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        for k, block in enumerate(blocks):
            self.add_module(str(k), block)  # a plain list would hide their parameters from parameters() and to()

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[nn.Module]:
        return iter(self._modules.values())  # type: ignore[arg-type]

    def __getitem__(self, k: int) -> nn.Module:
        return list(self)[k]

    def forward(self, x: Tensor) -> Tensor:
        for block in self:
            x = block(x)
        return x


class Parallel(nn.Module):
    """Several blocks on one input, their outputs concatenated: (B, D) -> (B, sum of the outputs' widths)."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class FixedHidden(nn.Module):
    """A trained layer, a constant one, the same trained layer again, then halving: (B, size) -> (B, size).

    ``fixed`` (size, size) is a buffer: saved and moved with the module, but not a parameter and not trained.

    Args:
        size: Width of input and output.
    """

    fixed: Tensor

    def __init__(self, size: int = 20) -> None:
        super().__init__()
        self.linear = nn.Linear(size, size)
        self.register_buffer("fixed", torch.randn(size, size) / size**0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.linear(x) @ self.fixed + 1)
        return halve(self.linear(x), limit=x.shape[1])


def halve(x: Tensor, limit: float = 1.0) -> Tensor:
    """Halves each row of x (B, D) until its absolute sum is at most ``limit``: a loop whose length the data decides.

    A row with infinite or NaN entries would not converge, and is not changed.
    """
    while bool((large := (x.abs().sum(1, keepdim=True) > limit) & x.isfinite().all(1, keepdim=True)).any()):
        x = torch.where(large, x / 2, x)
    return x
