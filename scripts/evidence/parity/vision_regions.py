"""RoIPool and RoIAlign against torchvision's, values and gradients."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from lit_models.functional.regions import roi_align, roi_pool
from scripts.evidence.verify import Check, Tensors

SCALE = 0.25


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    """Maps (2, 3, 9, 11), 60 regions of all sizes, some across the edge, in pixels, and their pictures."""
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(2, 3, 9, 11, dtype=torch.float64, generator=generator)
    start = torch.rand(60, 2, dtype=torch.float64, generator=generator) * 44 - 4
    sides = torch.rand(60, 2, dtype=torch.float64, generator=generator) ** 2 * 40
    boxes = torch.cat([start, start + sides], 1)
    return maps.requires_grad_(), boxes, torch.arange(60) % 2


def quantities(take: Any, aligned: bool | None) -> Tensors:
    found: Tensors = {}
    for size in (1, 3, 7):
        maps, boxes, batch = inputs()
        extra = {} if aligned is None else {"aligned": aligned}
        out = take(maps, boxes, batch, size, **extra)
        (out * torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out)).sum().backward()
        assert maps.grad is not None
        found |= {f"features {size}": out.detach(), f"grad maps {size}": maps.grad}
    return found


def pooled(maps: Tensor, boxes: Tensor, batch: Tensor, size: int, shift: float = 0.0) -> Tensor:
    from torchvision import ops

    return ops.roi_pool(maps, torch.cat([batch[:, None], boxes + shift], 1), size, SCALE)


def aligned_by(maps: Tensor, boxes: Tensor, batch: Tensor, size: int, aligned: bool, points: int = 2) -> Tensor:
    from torchvision import ops

    return ops.roi_align(maps, torch.cat([batch[:, None], boxes], 1), size, SCALE, points, aligned)


def aligned_quantities(take: Any, wrong: bool = False) -> Tensors:
    both = {kind: quantities(take, kind != wrong) for kind in (False, True)}
    return {f"{name}, aligned {kind}": value for kind, found in both.items() for name, value in found.items()}


CHECKS = [
    Check(
        name="vision/roi_pool",
        claim="RoIPool of regions of all sizes, also across the edge: values and gradients",
        package="torchvision",
        ours=partial(quantities, partial(roi_pool, scale=SCALE), None),
        reference=partial(quantities, pooled, None),
        control=partial(quantities, partial(pooled, shift=1.0), None),
        mistake="boxes that lie a quarter of a cell further",
    ),
    Check(
        name="vision/roi_align",
        claim="RoIAlign with and without the shift by half a cell: values and gradients",
        package="torchvision",
        ours=partial(aligned_quantities, partial(roi_align, scale=SCALE)),
        reference=partial(aligned_quantities, aligned_by),
        control=partial(aligned_quantities, aligned_by, wrong=True),
        mistake="the other convention of where a pixel is",
    ),
]
