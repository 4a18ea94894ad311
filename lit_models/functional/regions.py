"""Features of regions: what a second stage looks at, of the same size for regions of any size.

RoIPool: Girshick 2015, "Fast R-CNN", section 2.1. RoIAlign: He et al. 2017, "Mask R-CNN", section 3. D2L 14.8.
RoIPool rounds a region to whole cells, then its parts to whole cells, and takes the largest value of each part; a box
moves by up to a cell, which a mask cannot bear. RoIAlign rounds nothing: it reads the map between its cells, at some
points of each part, and takes their mean: a weighted sum of cells, which ``embedding_bag`` adds up. Both pass
gradients to the map, none to the boxes.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def roi_pool(maps: Tensor, boxes: Tensor, batch: Tensor, size: int, scale: float = 1.0) -> Tensor:
    """The largest values (R, C, size, size) of size x size parts of R regions.

    Args:
        maps: (B, C, H, W).
        boxes: (R, 4) as (left, top, right, bottom), in pixels of the picture.
        batch: The picture (R,) of each region.
        size: Parts along each side. Neighboring parts share the cells between them. A part outside of the map is 0.
        scale: Cells of the map divided by pixels of the picture, such as 1 / 16.
    """
    columns, rows = (cells(boxes[:, k], boxes[:, k + 2], size, scale, maps.shape[3 - k]) for k in (0, 1))
    chosen = maps[batch]  # (R, C, H, W)
    lowest = torch.finfo(maps.dtype).min
    part = [chosen.masked_fill(~rows[:, k, None, :, None], lowest).amax(2) for k in range(size)]
    strips = torch.stack(part, 2)  # (R, C, size, W): first the rows of each part, then its columns
    part = [strips.masked_fill(~columns[:, k, None, None, :], lowest).amax(3) for k in range(size)]
    found = torch.stack(part, 3)  # (R, C, size, size)
    empty = ~(rows.any(2)[:, :, None] & columns.any(2)[:, None])[:, None]
    return found.masked_fill(empty, 0.0)


def cells(start: Tensor, end: Tensor, size: int, scale: float, length: int) -> Tensor:
    """Which cells (R, size, length) along a side belong to each part of regions from ``start`` to ``end`` (R,)."""
    first, last = ((edge * scale + 0.5).floor() for edge in (start, end))  # halves up, unlike torch.round
    width = (last - first + 1).clamp(min=1) / size  # of a part
    number = torch.arange(size, device=start.device, dtype=start.dtype)
    begin = (first[:, None] + (number * width[:, None]).floor()).clamp(0, length)
    stop = (first[:, None] + ((number + 1) * width[:, None]).ceil()).clamp(0, length)
    cell = torch.arange(length, device=start.device)
    return (cell >= begin[..., None]) & (cell < stop[..., None])


def roi_align(
    maps: Tensor, boxes: Tensor, batch: Tensor, size: int, scale: float = 1.0, points: int = 2, aligned: bool = False
) -> Tensor:
    """The means (R, C, size, size) of points x points readings in size x size parts of R regions.

    Args:
        maps, boxes, batch, size, scale: As of ``roi_pool``.
        points: Readings along each side of a part.
        aligned: A pixel's value is at its center: coordinates move by half a cell. The paper and torchvision's
            Faster R-CNN do not, Detectron2 does. Without it a region is at least one cell wide.
    """
    height, width = maps.shape[-2:]
    (x, across), (y, down) = (
        neighbors(sampling(boxes[:, k], boxes[:, k + 2], size, scale, points, aligned), maps.shape[3 - k])
        for k in (0, 1)
    )  # cells and weights, each (R, size * points, 2)
    x, across, y, down = (part.unflatten(1, (size, points)).flatten(2) for part in (x, across, y, down))
    place = (batch[:, None, None] * height + y)[:, :, None, :, None] * width + x[:, None, :, None]
    weight = down[:, :, None, :, None] * across[:, None, :, None] / points**2  # (R, size, size, 2 points, 2 points)
    rows = maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])  # a cell is one row in memory
    place, weight = (part.flatten(3).flatten(0, 2) for part in (place, weight.to(maps.dtype)))
    found = F.embedding_bag(place, rows, mode="sum", per_sample_weights=weight)
    return found.view(len(boxes), size, size, maps.shape[1]).permute(0, 3, 1, 2)


def sampling(start: Tensor, end: Tensor, size: int, scale: float, points: int, aligned: bool) -> Tensor:
    """Coordinates (R, size * points) of the readings along a side, in cells."""
    first, last = (edge * scale - 0.5 * aligned for edge in (start, end))
    width = last - first if aligned else (last - first).clamp(min=1)
    step = torch.arange(size * points, device=start.device, dtype=start.dtype)
    return first[:, None] + (step + 0.5) / (size * points) * width[:, None]


def neighbors(x: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """The cells before and behind coordinates (R, N), and their weights, each (R, N, 2). At the edge the last cell goes
    on; a reading that is more than a cell outside of the map is 0.
    """
    inside, x = (x >= -1) & (x <= length), x.clamp(0, length - 1)
    before = x.floor().long()
    far = x - before
    cells = torch.stack([before, (before + 1).clamp(max=length - 1)], -1)
    return cells, torch.stack([1 - far, far], -1) * inside[..., None]
