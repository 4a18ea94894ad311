"""Several looks at a picture: overlapping tiles of a large one, and mirrored ones; what they find becomes one list.

A detector knows objects of the sizes that it was trained with: in a large picture that is made small they are gone. A
function ``look`` of images (B, C, S, S) returns ``Detections`` of each: boxes (B, D, 4) in fractions, scores (B, D) and
labels (B, D), -1 behind the last one. Boxes of all looks are moved into the picture, and of two that overlap the better
one is kept (``suppress``).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from lit_models.functional.boxes import kept_detections

Found = tuple[Tensor, Tensor, Tensor]
Look = Callable[[Tensor], Found]
NEAR = 1.0  # pixels: a box that ends so near to a tile's edge may be cut there


def starts(length: int, size: int, overlap: float) -> list[int]:
    """Where tiles of ``size`` pixels begin on a side of ``length``: evenly spaced, as few as overlap by a fraction."""
    if length <= size:
        return [0]
    step = max(1, int(size * (1 - overlap)))
    count = -(-(length - size) // step)
    return [k * (length - size) // count for k in range(count + 1)]


def in_tiles(look: Look, x: Tensor, size: int, overlap: float, max_overlap: float, most: int) -> Found:
    """Detections in images (B, C, L, L) of any size, looked at in tiles of (size, size).

    A box that is cut by a tile's edge inside of the picture is left out where the neighboring tile shows all of the
    object: up to the width of the overlap.

    Args:
        look: See above.
        x: The images.
        size: Of a tile, in pixels.
        overlap: At least this fraction of a tile is shown by the next one too.
        max_overlap: Of two boxes of a class.
        most: D, at most, for each tile of a picture.
    """
    length = x.shape[-1]
    begins = starts(length, size, overlap)
    if len(begins) == 1:
        return look(x)
    shared = size - max(b - a for a, b in pairwise(begins))
    parts = []
    for top in begins:
        for left in begins:
            boxes, scores, labels = look(x[..., top : top + size, left : left + size])
            pixels = boxes * size
            inner = pixels.new_tensor([left > 0, top > 0, left + size < length, top + size < length]).bool()
            near = torch.cat([pixels[..., :2] <= NEAR, pixels[..., 2:] >= size - NEAR], -1) & inner  # (B, D, 4)
            small = (pixels[..., 2:] - pixels[..., :2] <= shared).repeat(1, 1, 2)
            labels = labels.masked_fill((near & small).any(-1), -1)
            parts.append(((pixels + pixels.new_tensor([left, top, left, top])) / length, scores, labels))
    return merged(parts, max_overlap, most * len(parts))


def mirrored(look: Look, x: Tensor, max_overlap: float, most: int) -> Found:
    """Detections in images (B, C, S, S) and in their mirror images.

    Args:
        look, x, max_overlap: As of ``in_tiles``.
        most: D, at most.
    """
    boxes, scores, labels = look(x.flip(-1))
    left, top, right, bottom = boxes.unbind(-1)
    return merged([look(x), (torch.stack([1 - right, top, 1 - left, bottom], -1), scores, labels)], max_overlap, most)


def merged(parts: Sequence[Found], max_overlap: float, most: int) -> Found:
    """One list (B, D) of several of the same pictures, the best first.

    Args:
        parts: Detections in fractions of the pictures.
        max_overlap: Of two boxes of a class.
        most: D, at most.
    """
    boxes, scores, labels = (torch.cat([part[k] for part in parts], 1) for k in range(3))
    scores = scores.masked_fill(labels < 0, -1.0)
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    count = max(1, int((scores >= 0).sum(1).max()))  # behind it is padding only
    scores, order = scores[:, :count], order[:, :count]
    boxes, labels = boxes.gather(1, order[..., None].expand(-1, -1, 4)), labels.gather(1, order)
    return kept_detections(boxes, scores, labels, scores >= 0, max_overlap, most)
