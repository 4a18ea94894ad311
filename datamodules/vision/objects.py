"""The base of image sets with objects: boxes that are padded to the largest number in a picture, and moved with it.

A batch is x (B, C, S, S) float in [0, 1], boxes (B, M, 4) as (left, top, right, bottom) in fractions of the picture,
ignored (B, M) bool for objects that neither teach nor count, labels (B, M), -1 where a picture has fewer than M
objects.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from datamodules.vision.augmentation import Pictures
from datamodules.vision.images import AnnotatedImages


class ObjectImages(AnnotatedImages):
    """Images (N, C, H, W) uint8 with the boxes (N, M, 4), ignored (N, M) and labels (N, M) of their objects.

    Args:
        num_classes: Number of classes; the background is not one.
        in_channels, image_size, flip, augmentation: As of ``AnnotatedImages``.
        **images: See ``TensorDataModule``.
    """

    annotations = "boxes"

    def processor(self) -> dict[str, Any]:
        """Also that the model sees whole pictures: ``ImageFolder`` then does not cut a square out of them."""
        return {**super().processor(), "whole_pictures": True}

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, boxes, ignored, labels = batch
        if self.flip:
            x, boxes = flip_with_boxes(x, boxes, torch.rand(len(x), device=x.device) < 0.5)
        if self.augmentation is not None:
            changed = self.augmentation(Pictures(x, boxes, ignored, labels))
            assert changed.boxes is not None and changed.ignored is not None and changed.labels is not None
            x, boxes, ignored, labels = changed.x, changed.boxes, changed.ignored, changed.labels
        return x, boxes, ignored, labels


class DrawnObjects(ObjectImages):
    """Such images that ``drawn`` generates, of three splits; the test pictures are to be predicted too.

    Args:
        train_size, val_size, test_size: Images of each split.
        **objects: See ``ObjectImages``.
    """

    def __init__(self, train_size: int, val_size: int, test_size: int, **objects: Any) -> None:
        super().__init__(**objects)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}

    def drawn(self, split: str, count: int) -> tuple[Tensor, Sequence[tuple[Any, Any, Any]]]:
        """``count`` images (N, C, H, W) uint8 of a split, and what ``padded`` takes of each."""
        raise NotImplementedError

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, count in self.sizes.items():
            images, objects = self.drawn(name, count)
            splits[name] = self.fit_images(images), *padded(objects)
        return splits | {"predict": (splits["test"][0],)}


def flip_with_boxes(x: Tensor, boxes: Tensor, flip: Tensor) -> tuple[Tensor, Tensor]:
    """Mirrors those images (B, C, H, W) and their boxes (B, M, 4) left to right that ``flip`` (B,) names."""
    mirrored = torch.stack([1 - boxes[..., 2], boxes[..., 1], 1 - boxes[..., 0], boxes[..., 3]], -1)
    return (
        torch.where(flip.view(-1, 1, 1, 1), x.flip(-1), x),
        torch.where(flip.view(-1, 1, 1), mirrored, boxes),
    )


def padded(rows: Sequence[tuple[Any, Any, Any]]) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (N, M, 4), ignored (N, M) and labels (N, M) from those of each picture, (n, 4), (n,) and (n,); M is at
    least 1.
    """
    most = max([1, *(len(labels) for _, _, labels in rows)])
    boxes, ignored = torch.zeros(len(rows), most, 4), torch.zeros(len(rows), most, dtype=torch.bool)
    labels = torch.full((len(rows), most), -1)
    for i, (b, ig, c) in enumerate(rows):
        boxes[i, : len(c)] = torch.as_tensor(b, dtype=torch.float32).reshape(-1, 4)
        ignored[i, : len(c)], labels[i, : len(c)] = torch.as_tensor(ig, dtype=torch.bool), torch.as_tensor(c)
    return boxes, ignored, labels
