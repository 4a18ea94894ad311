"""Gathers values of all processes; rows that were distributed in turn are put back into their order."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.nn import functional as F


def gather(trainer: Trainer, value: Any) -> list[Any]:
    """The value of each process, by rank, in all of them. Every process must call it, or the others wait forever."""
    if trainer.world_size == 1:
        return [value]
    values: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(values, value)
    return values


def interleave(parts: Sequence[Tensor]) -> Tensor:
    """Puts rows that were distributed to the ranks in turn (0, 1, 0, 1, ...) back into their order."""
    places = [torch.arange(len(part)) * len(parts) + rank for rank, part in enumerate(parts)]
    return concatenate(parts)[torch.cat(places).argsort()]


def concatenate(parts: Sequence[Tensor]) -> Tensor:
    """Concatenates parts (N_i, ...) along the first dimension; smaller ones are padded with zeros in the others."""
    size = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    filled = []
    for part in parts:
        missing = [(0, most - here) for here, most in zip(part.shape[1:], size, strict=True)]
        filled.append(F.pad(part, [n for pair in reversed(missing) for n in pair]) if any(map(any, missing)) else part)
    return torch.cat(filled)
