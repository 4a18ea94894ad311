"""``Scenes`` with the pixels of each object beside its box."""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.vision.augmentation import VOID, Pictures
from datamodules.vision.objects import flip_with_boxes, padded
from datamodules.vision.scene_masks import nearest
from datamodules.vision.scenes import NAMES, SIDE, Scenes, draw_instances


class SceneInstances(Scenes):
    """A batch is that of ``Scenes`` and instances (B, S, S): a pixel is k + 1 where it shows object k, else 0.

    Args:
        num_classes, in_channels, image_size, train_size, val_size, test_size: As of ``Scenes``.
        **objects: See ``ObjectImages``.
    """

    def __init__(
        self,
        num_classes: int = len(NAMES),
        in_channels: int = 3,
        image_size: int = SIDE,
        train_size: int = 2000,
        val_size: int = 200,
        test_size: int = 300,
        **objects: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, train_size, val_size, test_size, **objects)
        if self.augmentation is not None and (self.augmentation.mosaic or self.augmentation.mixup):
            raise UserError(
                "data.augmentation: mosaic and mixup mix the numbers of objects: leave them at 0 with masks"
            )

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, count in self.sizes.items():
            images, instances, objects = draw_instances(count, name)
            if self.image_size != SIDE:
                instances = nearest(instances, [self.image_size] * 2)
            splits[name] = self.fit_images(images), *padded(objects), instances
        return splits | {"predict": (splits["test"][0],)}

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, boxes, ignored, labels, instances = batch
        if self.flip:
            flip = torch.rand(len(x), device=x.device) < 0.5
            x, boxes = flip_with_boxes(x, boxes, flip)
            instances = torch.where(flip.view(-1, 1, 1), instances.flip(-1), instances)
        if self.augmentation is not None:
            moved = self.augmentation(Pictures(x, boxes, ignored, labels, instances.long()))
            assert moved.masks is not None and moved.boxes is not None
            instances = moved.masks.masked_fill(torch.eq(moved.masks, VOID), 0)
            x, boxes, ignored, labels = moved.x, moved.boxes, moved.ignored, moved.labels  # type: ignore[assignment]
        return x, boxes, ignored, labels, instances
