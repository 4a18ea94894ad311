"""Values of all processes brought together: rows that were dealt out in turn come back in their order."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.nn import functional as F


def gather(trainer: Trainer, value: Any) -> list[Any]:
    """The value of each process, by rank, in all of them. Every process must call it, or the others wait for ever."""
    if trainer.world_size == 1:
        return [value]
    values: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(values, value)
    return values


def interleave(parts: Sequence[Tensor]) -> Tensor:
    """Puts rows that were dealt out to ranks in turn (0, 1, 0, 1, ...) back into their order."""
    places = [torch.arange(len(part)) * len(parts) + rank for rank, part in enumerate(parts)]
    return concatenate(parts)[torch.cat(places).argsort()]


def concatenate(parts: Sequence[Tensor]) -> Tensor:
    """Parts (N_i, ...) one below the other; where they have different sizes, the smaller get zeros at their ends."""
    size = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    filled = []
    for part in parts:
        missing = [(0, most - here) for here, most in zip(part.shape[1:], size, strict=True)]
        filled.append(F.pad(part, [n for pair in reversed(missing) for n in pair]) if any(map(any, missing)) else part)
    return torch.cat(filled)
