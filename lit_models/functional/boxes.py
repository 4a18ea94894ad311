"""Boxes: overlap, anchors, assignment, offsets, suppression. All functions take whole batches and have no loop over
boxes.

Girshick et al. 2014 (offsets), Ren et al. 2015 (anchors), Liu et al. 2016 (assignment). D2L 14.3 to 14.5.
A box is (left, top, right, bottom), in any unit, with y downwards. Departs from the book: suppression is class by
class, the offsets need no epsilon in the logarithm, and the assignment that the book finds object after object, each
with a search through all anchors, takes two or three passes here and has the same result.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

#: What offsets are divided by: the book's 0.1 and 0.2, torchvision's weights (10, 10, 5, 5).
VARIANCES = (0.1, 0.1, 0.2, 0.2)


def to_centers(boxes: Tensor) -> Tensor:
    """(left, top, right, bottom) to (center x, center y, width, height), (..., 4)."""
    start, end = boxes.split(2, -1)
    return torch.cat([(start + end) / 2, end - start], -1)


def to_corners(boxes: Tensor) -> Tensor:
    """(center x, center y, width, height) to (left, top, right, bottom), (..., 4)."""
    center, size = boxes.split(2, -1)
    return torch.cat([center - size / 2, center + size / 2], -1)


def area(boxes: Tensor) -> Tensor:
    """The areas (...,) of boxes (..., 4)."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of all pairs: (..., N, 4) and (..., M, 4) -> (..., N, M). Zero where both are empty.

    Fastest where M is the larger number: the M pairs of a box lie side by side in memory.
    """
    left, top, right, bottom = (part[..., :, None] for part in one.movedim(-1, 0).contiguous())
    left_, top_, right_, bottom_ = (part[..., None, :] for part in other.movedim(-1, 0).contiguous())
    width = torch.minimum(right, right_).sub_(torch.maximum(left, left_)).clamp_(min=0)
    shared = torch.minimum(bottom, bottom_).sub_(torch.maximum(top, top_)).clamp_(min=0).mul_(width)
    union = (area(one)[..., :, None] + area(other)[..., None, :]).sub_(shared)
    return shared.div_(union.clamp_(min=torch.finfo(union.dtype).tiny))


def anchor_shapes(sizes: Sequence[float], ratios: Sequence[float]) -> Tensor:
    """Widths and heights (A, 2) of a cell's anchors: all sizes with the first ratio, all other ratios with the first
    size.

    Args:
        sizes: Square roots of the areas, as fractions of the picture's side.
        ratios: Widths divided by heights. The book's ``n + m - 1`` of n sizes and m ratios.
    """
    pairs = [(size, ratios[0]) for size in sizes] + [(sizes[0], ratio) for ratio in ratios[1:]]
    return torch.tensor([(size * ratio**0.5, size / ratio**0.5) for size, ratio in pairs])


def grid_anchors(height: int, width: int, shapes: Tensor) -> Tensor:
    """Boxes (height * width * A, 4) of shapes (A, 2) around the center of each cell of a grid, in [0, 1] or across
    its edge.

    The order is row by row, in a row cell by cell, in a cell shape by shape: that of a map (B, A, height, width) whose
    A was moved to the end.
    """
    y = (torch.arange(height, dtype=shapes.dtype) + 0.5) / height
    x = (torch.arange(width, dtype=shapes.dtype) + 0.5) / width
    centers = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)  # (height, width, 2)
    cells = torch.cat([centers[:, :, None].expand(-1, -1, len(shapes), -1), shapes.expand(height, width, -1, -1)], -1)
    return to_corners(cells.reshape(-1, 4))


def encode(boxes: Tensor, anchors: Tensor, variances: Sequence[float] = VARIANCES) -> Tensor:
    """Offsets (..., 4) from anchors to boxes (..., 4), both with corners: shifts in units of the anchor, logarithms
    of size.
    """
    box, anchor = to_centers(boxes), to_centers(anchors)
    shift = (box[..., :2] - anchor[..., :2]) / anchor[..., 2:]
    growth = (box[..., 2:] / anchor[..., 2:]).log()
    return torch.cat([shift, growth], -1) / shift.new_tensor(variances)


def decode(offsets: Tensor, anchors: Tensor, variances: Sequence[float] = VARIANCES, largest: float = 62.5) -> Tensor:
    """Boxes (..., 4) with corners from offsets (..., 4): the inverse of ``encode``.

    Args:
        offsets, anchors, variances: As in ``encode``.
        largest: A box is at most so many times as wide or high as its anchor (torchvision's 1000 / 16): an untrained
            network would otherwise give infinite ones.
    """
    anchor = to_centers(anchors)
    scaled = offsets * offsets.new_tensor(variances)
    growth = scaled[..., 2:].clamp(max=torch.tensor(largest).log().item())
    return to_corners(
        torch.cat([scaled[..., :2] * anchor[..., 2:] + anchor[..., :2], growth.exp() * anchor[..., 2:]], -1)
    )


def assign(overlaps: Tensor, valid: Tensor, threshold: float = 0.5) -> Tensor:
    """The object of each anchor (B, A), -1 for none.

    An anchor takes the object that it overlaps most, from ``threshold`` on. Before that every object takes one anchor
    whatever the overlap, in the order of the overlaps, the largest first, and no anchor twice.

    Args:
        overlaps: IoU (B, A, M) of A anchors and M objects; fastest where an object's lie side by side in memory.
        valid: Which of the M objects there are (B, M); the others are padding.
        threshold: The least overlap.
    """
    if not overlaps.shape[2]:
        return torch.full(overlaps.shape[:2], -1, device=overlaps.device)
    things = overlaps.transpose(1, 2).masked_fill(~valid[:, :, None], -1.0)  # (B, M, A)
    most, found = things.amax(1), torch.full(overlaps.shape[:2], -1, device=overlaps.device)  # (B, A)
    batch, anchor = (most >= threshold).nonzero().unbind(1)  # few: only these look for their object
    found[batch, anchor] = things[batch, :, anchor].argmax(1)
    free, (best, chosen) = things, things.max(2)  # each object's best anchor (B, M)
    number = torch.arange(overlaps.shape[2], device=overlaps.device)
    while True:  # an object that is overlapped less than another one by the same anchor looks for its next best
        same = (chosen[:, :, None] == chosen[:, None]) & valid[:, :, None] & valid[:, None]
        ahead = (best[:, None] > best[:, :, None]) | ((best[:, None] == best[:, :, None]) & (number < number[:, None]))
        lost = (same & ahead).any(2) & (best >= 0)  # (B, M)
        if not bool(lost.any()):
            break
        if free is things:
            free = things.clone()
        batch, which = lost.nonzero().unbind(1)
        free[batch, which, chosen[lost]] = -1.0
        best[lost], chosen[lost] = free[batch, which].max(1)
    batch, which = (valid & (best >= 0)).nonzero().unbind(1)  # more objects than anchors: some have none
    found[batch, chosen[batch, which]] = which
    return found


def suppress(boxes: Tensor, labels: Tensor, valid: Tensor, threshold: float = 0.5) -> Tensor:
    """Which boxes are kept (B, N): of two of a class that overlap by more than ``threshold``, only that with the
    better score.

    The greedy rule, a box is dropped by a better one that was kept, as a fixed point (Zheng et al. 2020, Cluster-NMS,
    arXiv:2005.03572): "kept by the boxes kept so far" is applied to all boxes at once until nothing changes. It is the
    same set, after as many passes as the longest chain of boxes that drop one another: a few, where the loop over boxes
    has N.

    Args:
        boxes: (B, N, 4), of falling scores.
        labels: (B, N). Boxes of different classes do not suppress each other; the book's do.
        valid: Which of the N boxes take part (B, N).
        threshold: The largest overlap of two boxes of a class.
    """
    drops = (iou(boxes, boxes) > threshold) & (labels[:, :, None] == labels[:, None]) & valid[:, :, None]
    better = drops.triu_(1).to(boxes.dtype)  # (B, N, N): 1 where the first, better one drops the second
    kept = valid
    while True:
        now = valid & ((kept[:, None].to(boxes.dtype) @ better)[:, 0] == 0)  # a product is faster than any()
        if torch.equal(now, kept):
            return kept
        kept = now


def detections(
    scores: Tensor,
    offsets: Tensor,
    anchors: Tensor,
    min_score: float = 0.01,
    max_overlap: float = 0.5,
    candidates: int = 200,
    most: int = 100,
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (B, D, 4) in [0, 1], their scores and their classes (B, D), the best first. The class is -1 where there
    are fewer.

    Args:
        scores: (B, A, K) of each anchor and class, without the background.
        offsets: (B, A, 4).
        anchors: (A, 4).
        min_score: Boxes with lower scores are left out.
        max_overlap: Of two boxes of a class (``suppress``).
        candidates: How many of the best boxes of a picture are looked at.
        most: D, at most.
    """
    classes = scores.shape[2]
    scores, order = scores.flatten(1).topk(min(candidates, scores[0].numel()), 1)
    labels, place = order % classes, order // classes
    boxes = decode(offsets.gather(1, place[..., None].expand(-1, -1, 4)), anchors[place]).clamp(0, 1)
    return kept_detections(boxes, scores, labels, scores >= min_score, max_overlap, most)


def kept_detections(
    boxes: Tensor, scores: Tensor, labels: Tensor, valid: Tensor, max_overlap: float, most: int
) -> tuple[Tensor, Tensor, Tensor]:
    """At most ``most`` of the valid boxes (B, N) of falling scores, suppressed by class; as ``detections`` returns."""
    kept = suppress(boxes, labels, valid, max_overlap)
    scores, order = scores.masked_fill(~kept, -1.0).topk(min(most, scores.shape[1]), 1)
    labels = labels.gather(1, order).masked_fill(scores < 0, -1)
    return boxes.gather(1, order[..., None].expand(-1, -1, 4)), scores.clamp(min=0), labels
