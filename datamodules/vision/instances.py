"""What image sets share whose objects have pixels: instances (B, S, S), k + 1 where a pixel shows object k, else 0."""

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.vision.augmentation import VOID, Augmentation, Pictures
from datamodules.vision.objects import flip_with_boxes


def refuse_mixing(augmentation: Augmentation | None) -> None:
    """Raises ``UserError`` for changes after which two objects would have one number."""
    if augmentation is not None and (augmentation.mosaic or augmentation.mixup):
        raise UserError("data.augmentation: mosaic and mixup mix the numbers of objects: leave them at 0 with masks")


def augment_instances(batch: tuple[Tensor, ...], flip: bool, augmentation: Augmentation | None) -> tuple[Tensor, ...]:
    """A batch ``(x, boxes, ignored, labels, instances)``, changed at random.

    Args:
        batch: See ``ObjectImages``, and above.
        flip: Whether pictures are mirrored left to right with probability 1/2.
        augmentation: More changes.
    """
    x, boxes, ignored, labels, instances = batch
    if flip:
        chosen = torch.rand(len(x), device=x.device) < 0.5
        x, boxes = flip_with_boxes(x, boxes, chosen)
        instances = torch.where(chosen.view(-1, 1, 1), instances.flip(-1), instances)
    if augmentation is not None:
        moved = augmentation(Pictures(x, boxes, ignored, labels, instances.long()))
        assert moved.boxes is not None and moved.ignored is not None and moved.labels is not None
        assert moved.masks is not None
        x, boxes, ignored, labels = moved.x, moved.boxes, moved.ignored, moved.labels
        instances = moved.masks.masked_fill(moved.masks == VOID, 0)
    return x, boxes, ignored, labels, instances
