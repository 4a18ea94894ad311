"""The second stage of Faster R-CNN: what each proposed region shows, and where its object is exactly.

Girshick 2015, "Fast R-CNN"; Lin et al. 2017, "Feature Pyramid Networks" (which level a region is read from). D2L 14.8.
Each region becomes size x size features by RoIAlign or RoIPool (``lit_models/functional/regions.py``); two dense layers
give logits and, for each class, four offsets. Parameters have torchvision's names.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.functional.boxes import VARIANCES, area, decode, iou, kept_detections
from lit_models.functional.regions import roi_align, roi_pool
from lit_models.vision.mask_head import MaskHead, MaskPredictor
from lit_models.vision.rpn import box_loss, match

CANONICAL, CANONICAL_LEVEL = 224.0, 4  # a region of ImageNet's size is read from the map with a stride of 16
LEAST = 1e-2  # pixels: detections that are narrower or lower are left out


class RoIHeads(nn.Module):
    """Features of regions, two dense layers, two heads. (B, P, 4) -> logits (B, P, 1 + K), offsets (B, P, 1 + K, 4).

    Args:
        channels: Of the maps.
        num_classes: Number K of classes, without the background.
        hidden_size: Units of the dense layers.
        size: Parts along each side of a region.
        pooling: RoIAlign, or RoIPool, which rounds regions to whole cells.
        mask_channels: Of the mask head (``lit_models/vision/mask_head.py``); 0: there is none.
        mask_size: Parts along each side of a region that the mask head reads.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        hidden_size: int = 1024,
        size: int = 7,
        pooling: Literal["align", "pool"] = "align",
        mask_channels: int = 0,
        mask_size: int = 14,
    ) -> None:
        super().__init__()
        self.size, self.pooling = size, pooling
        self.box_head = nn.Sequential()
        self.box_head.add_module("fc6", nn.Linear(channels * size**2, hidden_size))
        self.box_head.add_module("fc7", nn.Linear(hidden_size, hidden_size))
        self.box_predictor = nn.ModuleDict(
            {
                "cls_score": nn.Linear(hidden_size, 1 + num_classes),
                "bbox_pred": nn.Linear(hidden_size, 4 * (1 + num_classes)),
            }
        )
        self.mask_size = mask_size
        if mask_channels:
            self.mask_head = MaskHead(channels, mask_channels)
            self.mask_predictor = MaskPredictor(mask_channels, num_classes)

    def forward(self, maps: Sequence[Tensor], boxes: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """Logits and offsets of regions.

        Args:
            maps: Of each level that regions are read from, (B, channels, H, W).
            boxes: (B, P, 4) in pixels.
            side: Of the picture, with its padding.
        """
        hidden = self.features(maps, boxes, side).flatten(1)  # (B P, channels size size)
        for layer in self.box_head:
            hidden = F.relu(layer(hidden))
        logits, offsets = (self.box_predictor[name](hidden) for name in ("cls_score", "bbox_pred"))
        shape = boxes.shape[:2]
        return logits.unflatten(0, shape), offsets.unflatten(0, shape).unflatten(2, (-1, 4))

    def features(self, maps: Sequence[Tensor], boxes: Tensor, side: int) -> Tensor:
        """(B P, channels, size, size) of regions, each read from one level."""
        batch = torch.arange(len(boxes), device=boxes.device).repeat_interleave(boxes.shape[1])
        take = roi_align if self.pooling == "align" else roi_pool
        return read(maps, boxes.flatten(0, 1), batch, side, self.size, take)

    def masks(self, maps: Sequence[Tensor], regions: Tensor, batch: Tensor, side: int) -> Tensor:
        """Logits (R, K, 2 mask_size, 2 mask_size): which pixels of a region show its object, were it of each class.

        Args:
            maps, side: As of ``forward``.
            regions: (R, 4) in pixels.
            batch: The picture (R,) of each region.
        """
        found = read(maps, regions, batch, side, self.mask_size, roi_align)
        return self.mask_predictor(self.mask_head(found))[:, 1:]


def read(
    maps: Sequence[Tensor], regions: Tensor, batch: Tensor, side: int, size: int, take: Callable[..., Tensor]
) -> Tensor:
    """The features (R, channels, size, size) of regions, each from the level of its size.

    Args:
        maps: Of each level, (B, channels, H, W).
        regions: (R, 4) in pixels.
        batch: The picture (R,) of each region.
        side: Of the picture, with its padding.
        size: Parts along each side of a region.
        take: ``roi_align`` or ``roi_pool``.
    """
    scales = [2.0 ** round(torch.tensor(part.shape[-2] / side).log2().item()) for part in maps]
    if len(maps) == 1:
        return take(maps[0], regions, batch, size, scales[0])
    level = levels_of(regions, scales)
    found = maps[0].new_zeros(len(regions), maps[0].shape[1], size, size)
    for k, (part, scale) in enumerate(zip(maps, scales, strict=True)):
        place = (level == k).nonzero()[:, 0]
        if not len(place):
            continue
        found = found.index_copy(0, place, take(part, regions[place], batch[place], size, scale))
    return found


def levels_of(regions: Tensor, scales: Sequence[float]) -> Tensor:
    """The level (R,) of regions (R, 4) in pixels: one further for each doubling of the side (FPN's equation 1).

    Args:
        regions: In pixels.
        scales: Of each level: its cells divided by the picture's pixels.
    """
    lowest, highest = (round(-torch.tensor(scales[k]).log2().item()) for k in (0, -1))
    side = area(regions).sqrt().clamp(min=torch.finfo(regions.dtype).tiny)
    return ((side / CANONICAL).log2() + CANONICAL_LEVEL + 1e-6).floor().clamp(lowest, highest).long() - lowest


def region_targets(
    regions: Tensor, there: Tensor, boxes: Tensor, ignored: Tensor, labels: Tensor, threshold: float = 0.5
) -> tuple[Tensor, Tensor]:
    """The class (B, P) of each region, 0 for the background, -1 for none; and the box (B, P, 4) of its object.

    Args:
        regions, there: Of ``proposals``.
        boxes, ignored, labels: Of a batch (``Detector``), boxes in pixels.
        threshold: The least overlap of a region and its object.
    """
    valid = (labels >= 0) & ~ignored
    overlaps = iou(regions, boxes)
    found = match(overlaps, valid, threshold, threshold)
    on_ignored = ((overlaps >= threshold) & (ignored & (labels >= 0))[:, None]).any(2)
    place = found.clamp(min=0)
    classes = torch.where(found >= 0, labels.gather(1, place) + 1, torch.where(on_ignored, -1, 0))
    return classes.masked_fill(~there, -1), boxes.gather(1, place[..., None].expand(-1, -1, 4))


def region_losses(
    logits: Tensor, offsets: Tensor, regions: Tensor, classes: Tensor, wanted: Tensor
) -> tuple[Tensor, Tensor]:
    """The losses (B,) of classes and of the boxes, each a mean over a picture's sampled regions.

    Args:
        logits, offsets: What the network returned for the regions.
        regions: (B, P, 4).
        classes: (B, P): of those sampled; -1 for the others.
        wanted: Boxes (B, P, 4).
    """
    taught = classes >= 0
    count = taught.sum(1).clamp(min=1)
    classification = F.cross_entropy(logits.flatten(0, 1), classes.flatten().clamp(min=0), reduction="none")
    own = offsets.gather(2, classes.clamp(min=0)[..., None, None].expand(-1, -1, 1, 4))[:, :, 0]
    boxes = box_loss(own, wanted, regions, classes > 0, VARIANCES)
    return (classification.view_as(classes) * taught).sum(1) / count, boxes.sum(1) / count


def region_detections(
    logits: Tensor,
    offsets: Tensor,
    regions: Tensor,
    there: Tensor,
    side: int,
    min_score: float = 0.05,
    max_overlap: float = 0.5,
    candidates: int = 400,
    most: int = 100,
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (B, D, 4) in pixels, their scores and classes (B, D), the best first; the class is -1 behind the last.

    Args:
        logits, offsets: What the network returned for the regions.
        regions, there: Of ``proposals``.
        side: Of the picture, without its padding.
        min_score: Boxes with scores up to this are left out.
        max_overlap: Of two boxes of a class.
        candidates: How many of the best boxes of a picture are looked at.
        most: D, at most.
    """
    classes = logits.shape[2] - 1
    scores = logits.softmax(2)[..., 1:].masked_fill(~there[..., None], 0.0)
    scores, order = scores.flatten(1).topk(min(candidates, scores[0].numel()), 1)
    labels, place = order % classes, order // classes
    flat = offsets[:, :, 1:].flatten(1, 2)  # (B, P K, 4)
    boxes = decode(
        flat.gather(1, order[..., None].expand(-1, -1, 4)), regions.gather(1, place[..., None].expand(-1, -1, 4))
    ).clamp(0, side)
    large = (boxes[..., 2:] - boxes[..., :2] >= LEAST).all(2)
    return kept_detections(boxes, scores, labels, large & (scores > min_score), max_overlap, most)
