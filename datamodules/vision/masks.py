"""The base of image sets with masks: a class for each pixel, moved with its picture.

A batch is x (B, C, S, S) float in [0, 1], y (B, S, S) classes, 255 for void. Masks are stored as uint8 and resized
without interpolation: between classes 1 and 3 there is no class 2.
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.vision.augmentation import VOID, Pictures
from datamodules.vision.images import AnnotatedImages


class MaskImages(AnnotatedImages):
    """Images (N, C, H, W) uint8 with masks (N, H, W) uint8.

    Args:
        num_classes: Number of classes, the background among them, at most 255.
        in_channels, image_size, flip, augmentation: As of ``AnnotatedImages``.
        **images: See ``TensorDataModule``.
    """

    annotations = "masks"

    def processor(self) -> dict[str, Any]:
        """Also that the model sees whole pictures: ``ImageFolder`` then does not cut a square out of them."""
        return {**super().processor(), "whole_pictures": True}

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        images, *masks = batch
        return (images * (1 / 255), *(mask.long() for mask in masks))

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, y = batch
        if self.flip:
            flip = torch.rand(len(x), device=x.device) < 0.5
            x = torch.where(flip.view(-1, 1, 1, 1), x.flip(-1), x)
            y = torch.where(flip.view(-1, 1, 1), y.flip(-1), y)
        if self.augmentation is not None:
            changed = self.augmentation(Pictures(x, masks=y))
            assert changed.masks is not None
            x, y = changed.x, changed.masks
        return x, y


def refuse_other_values(masks: Tensor, num_classes: int, names: list[str]) -> None:
    """Raises ``UserError`` if a mask (N, H, W) has a value that is neither a class nor void; names the file."""
    wrong = (masks >= num_classes) & (masks != VOID)
    if bool(wrong.any()):
        row = int(wrong.flatten(1).any(1).nonzero()[0])
        raise UserError(
            f"{names[row]}: a pixel is {int(masks[row][wrong[row]][0])}, but data.num_classes is {num_classes}: pixels "
            f"are 0 to {num_classes - 1}, or 255 for void"
        )
