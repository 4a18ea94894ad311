"""RPN: a network that proposes regions in which there may be an object, of whatever class.

Ren et al. 2015, "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks", section 3.1. D2L
14.8. At each cell of each map, A anchors each get a logit, is there an object, and four offsets to its box. The best
boxes, only one of those that overlap, are what the second stage (``lit_models/vision/roi_heads.py``) looks at.

Departs from the paper, as torchvision, whose names the parameters have: the maps may be those of a pyramid, anchors
across the picture's edge take part, and the loss of the boxes is a mean over the sampled anchors.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.functional.boxes import area, decode, encode, iou, suppress
from lit_models.tasks.processes import precise

NEITHER, BACKGROUND = -2, -1
PLAIN = (1.0, 1.0, 1.0, 1.0)  # the RPN's offsets are not scaled
MIXED = (97.3181, 61.7427, 41.9339, 13.1563)  # so that no two anchors, whose edges are whole numbers, have one lot
LEAST = 1e-3  # pixels: proposals that are narrower or lower are left out


class RPN(nn.Module):
    """A 3 x 3 convolution and two heads, the same for all maps.

    Maps (B, channels, H, W) of L levels -> logits (B, N) and offsets (B, N, 4) of the N anchors of all levels.

    Args:
        channels: Of the maps.
        sizes: Square roots of the areas of the anchors of each level, in pixels of the picture.
        ratios: Heights of the anchors divided by their widths.
    """

    def __init__(self, channels: int, sizes: Sequence[Sequence[float]], ratios: Sequence[float] = (0.5, 1, 2)) -> None:
        super().__init__()
        self.shapes = [rounded_shapes(level, ratios) for level in sizes]  # each (A, 4)
        count = len(self.shapes[0])
        self.head = nn.ModuleDict(
            {
                "conv": nn.Sequential(nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())),
                "cls_logits": nn.Conv2d(channels, count, 1),
                "bbox_pred": nn.Conv2d(channels, count * 4, 1),
            }
        )
        for layer in self.head.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        hidden = [self.head["conv"](part) for part in maps]
        logits, offsets = (
            [self.head[name](part).permute(0, 2, 3, 1).flatten(1) for part in hidden]
            for name in ("cls_logits", "bbox_pred")
        )
        return torch.cat(logits, 1), torch.cat(offsets, 1).unflatten(1, (-1, 4))

    def anchors(self, maps: Sequence[Tensor], side: int) -> tuple[Tensor, Tensor]:
        """The anchors (N, 4) of a square picture in pixels, and the level (N,) of each.

        An anchor's center is the corner of its cell, as in torchvision.

        Args:
            maps: Of each level.
            side: Of the picture, with its padding.
        """
        found, levels = [], []
        for level, (part, shapes) in enumerate(zip(maps, self.shapes, strict=True)):
            y, x = (torch.arange(n, device=part.device) * (side // n) for n in part.shape[-2:])
            y, x = (p.flatten() for p in torch.meshgrid(y, x, indexing="ij"))
            boxes = torch.stack([x, y, x, y], 1)[:, None] + shapes.to(part)  # (H W, A, 4)
            found.append(boxes.flatten(0, 1))
            levels.append(torch.full((len(found[-1]),), level, device=part.device))
        return torch.cat(found), torch.cat(levels)


def rounded_shapes(sizes: Sequence[float], ratios: Sequence[float]) -> Tensor:
    """Boxes (A, 4) around zero, all sizes with the first ratio, then all with the second; whole pixels."""
    shapes = [(size / ratio**0.5, size * ratio**0.5) for ratio in ratios for size in sizes]
    return torch.tensor([[-width / 2, -height / 2, width / 2, height / 2] for width, height in shapes]).round()


def proposals(
    logits: Tensor,
    offsets: Tensor,
    anchors: Tensor,
    levels: Tensor,
    side: int,
    before: int = 1000,
    most: int = 1000,
    max_overlap: float = 0.7,
) -> tuple[Tensor, Tensor]:
    """The best regions (B, P, 4) in pixels, cut at the picture's edge, and which of the P there are (B, P).

    Args:
        logits, offsets: What the network returned; no gradient goes through a proposal.
        anchors, levels: Of ``RPN.anchors``.
        side: Of the picture, without its padding.
        before: How many of the best of each level are compared with each other.
        most: P, at most.
        max_overlap: Of two proposals of a level that overlap by more than this, the better one is kept.
    """
    chosen = []
    for level in range(int(levels[-1]) + 1):
        place = (levels == level).nonzero()[:, 0]
        best = logits.detach()[:, place].topk(min(before, len(place)), 1).indices
        chosen.append(place[best])
    index = torch.cat(chosen, 1)
    index = index.gather(1, logits.detach().gather(1, index).argsort(1, descending=True))
    boxes = decode(offsets.detach().gather(1, index[..., None].expand(-1, -1, 4)), anchors[index], PLAIN)
    boxes = boxes.clamp(0, side)
    large = (boxes[..., 2:] - boxes[..., :2] >= LEAST).all(2)
    kept = suppress(boxes, levels[index], large, max_overlap)
    order = kept.to(torch.uint8).sort(dim=1, descending=True, stable=True).indices[:, :most]
    return boxes.gather(1, order[..., None].expand(-1, -1, 4)), kept.gather(1, order)


def match(overlaps: Tensor, valid: Tensor, high: float, low: float, best_too: bool = False) -> Tensor:
    """The object of each region (B, N): its number, ``BACKGROUND``, or ``NEITHER`` between the two thresholds.

    Args:
        overlaps: IoU (B, N, M) of N regions and M objects.
        valid: Which of the M objects there are (B, M).
        high, low: A region takes the object that it overlaps most, from ``high`` on; below ``low`` it is background.
        best_too: The regions that overlap an object most, whatever the overlap, are not background either: they take
            the object that they overlap most.
    """
    overlaps = overlaps.masked_fill(~valid[:, None], -1.0)
    most, found = overlaps.max(2)
    kept = torch.where(most >= high, found, torch.where(most >= low, NEITHER, BACKGROUND))
    if best_too:
        best = overlaps.amax(1, keepdim=True)  # (B, 1, M)
        is_best = ((overlaps == best) & (best > 0)).any(2)
        kept = torch.where(is_best, found, kept)
    return kept


def sample(classes: Tensor, count: int, positives: float, lots: Tensor) -> Tensor:
    """Which regions (B, N) teach: at most ``count`` of each picture, at most a fraction ``positives`` of objects.

    Args:
        classes: (B, N): above 0 for an object, 0 for the background, -1 for regions that do not teach.
        count: Of each picture, if it has so many.
        positives: The largest fraction of objects; the background has the rest.
        lots: Random numbers (B, N): the smallest ones are taken.
    """
    objects = first(classes > 0, torch.full_like(classes[:, 0], int(count * positives)), lots)
    return objects | first(classes == 0, count - objects.sum(1), lots)


def first(allowed: Tensor, count: Tensor, lots: Tensor) -> Tensor:
    """Those ``count`` (B,) of the allowed regions (B, N) that have the smallest lots."""
    rank = lots.masked_fill(~allowed, float("inf")).argsort(1).argsort(1)
    return allowed & (rank < count[:, None])


def draw(boxes: Tensor, how: Literal["random", "fixed"]) -> Tensor:
    """A lot (..., N) between 0 and 1 for each box (..., N, 4); ``fixed``: the same box has always the same one."""
    if how == "random":
        return torch.rand(boxes.shape[:-1], device=boxes.device)
    kind = precise(boxes.device)
    return (boxes.to(kind) @ torch.tensor(MIXED, dtype=kind, device=boxes.device)).remainder(1.0)


def anchor_targets(
    anchors: Tensor, boxes: Tensor, ignored: Tensor, labels: Tensor, high: float = 0.7, low: float = 0.3
) -> tuple[Tensor, Tensor]:
    """Whether each anchor has an object (B, N), 1 or 0, -1 for neither; and the box (B, N, 4) of its object.

    Args:
        anchors: (N, 4).
        boxes, ignored, labels: Of a batch (``Detector``), boxes in pixels.
        high, low: See ``match``.
    """
    valid = (labels >= 0) & ~ignored
    overlaps = iou(anchors, boxes)
    found = match(overlaps, valid, high, low, best_too=True)
    on_ignored = ((overlaps >= low) & (ignored & (labels >= 0))[:, None]).any(2)
    classes = torch.where(found >= 0, 1, torch.where((found == NEITHER) | on_ignored, -1, 0))
    return classes, boxes.gather(1, found.clamp(min=0)[..., None].expand(-1, -1, 4))


def rpn_losses(
    logits: Tensor, offsets: Tensor, anchors: Tensor, classes: Tensor, wanted: Tensor, taught: Tensor
) -> tuple[Tensor, Tensor]:
    """The losses (B,) of objectness and of the boxes, each a mean over a picture's sampled anchors.

    Args:
        logits, offsets, anchors: As of ``proposals``.
        classes, wanted: As of ``anchor_targets``.
        taught: Which anchors were sampled (B, N).
    """
    count = taught.sum(1).clamp(min=1)
    objectness = F.binary_cross_entropy_with_logits(logits, (classes > 0).to(logits), reduction="none")
    boxes = box_loss(offsets, wanted, anchors, taught & (classes > 0), PLAIN)
    return (objectness * taught).sum(1) / count, boxes.sum(1) / count


def box_loss(offsets: Tensor, wanted: Tensor, regions: Tensor, matched: Tensor, variances: Sequence[float]) -> Tensor:
    """Smooth L1 (B, N) of offsets (B, N, 4) from regions to boxes, quadratic up to 1 / 9; 0 for those not matched."""
    matched = matched & (area(wanted) > 0)
    safe = torch.where(matched[..., None], wanted, regions)  # the logarithm of an empty box would be infinite
    targets = torch.where(matched[..., None], encode(safe, regions, variances), 0.0)
    distance = F.smooth_l1_loss(offsets, targets, reduction="none", beta=1 / 9).sum(-1)
    return torch.where(matched, distance, 0.0)
