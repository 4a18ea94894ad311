"""The base of image sets with masks: a class for each pixel, moved with its picture.

A batch is x (B, C, S, S) float in [0, 1], y (B, S, S) classes, 255 for void. Masks are stored as uint8 and resized
without interpolation: between classes 1 and 3 there is no class 2.
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.vision.images import ImageTensors

VOID = 255


class MaskImages(ImageTensors):
    """Images (N, C, H, W) uint8 with masks (N, H, W) uint8.

    Args:
        num_classes: Number of classes, the background among them, at most 255.
        in_channels, image_size: As of ``ImageTensors``.
        flip: Training images are mirrored left to right with probability 1/2, their masks too.
        zoom: The side of a training image is multiplied by a random factor from 1 to this, and a random square of the
            old size is cut out; its mask too. 1 leaves it as it is.
        **images: See ``TensorDataModule``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: int,
        flip: bool = False,
        zoom: float = 1.0,
        **images: Any,
    ) -> None:
        if images.get("shift"):
            raise UserError("data.shift would move the pictures without their masks: give --data.zoom")
        super().__init__(num_classes, in_channels, image_size, flip=flip, **images)
        if zoom < 1:
            raise UserError(f"data.zoom is {zoom}: give a factor of at least 1")
        self.zoom = zoom

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        images, *masks = batch
        return (images * (1 / 255), *(mask.long() for mask in masks))

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, y = batch
        if self.flip:
            flip = torch.rand(len(x), device=x.device) < 0.5
            x = torch.where(flip.view(-1, 1, 1, 1), x.flip(-1), x)
            y = torch.where(flip.view(-1, 1, 1), y.flip(-1), y)
        if self.zoom > 1:
            x, y = zoom_with_masks(x, y, self.zoom)
        return x, y


def zoom_with_masks(x: Tensor, y: Tensor, most: float) -> tuple[Tensor, Tensor]:
    """Enlarges each image (B, C, H, W) and its mask (B, H, W) by its own random factor and cuts out a random part."""
    b, device = len(x), x.device
    side = 1 / (1 + (most - 1) * torch.rand(b, device=device))  # of the part, in sides of the image
    start = torch.rand(b, 2, device=device) * (1 - side)[:, None]
    theta = torch.zeros(b, 2, 3, device=device)
    theta[:, 0, 0] = theta[:, 1, 1] = side
    theta[:, :, 2] = 2 * start + side[:, None] - 1  # affine_grid counts from -1 to 1
    grid = torch.nn.functional.affine_grid(theta, list(x.shape), align_corners=False).to(x.dtype)
    moved = torch.nn.functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    mask = torch.nn.functional.grid_sample(
        y[:, None].to(x.dtype), grid, mode="nearest", padding_mode="border", align_corners=False
    )
    return moved, mask[:, 0].round().long()


def refuse_other_values(masks: Tensor, num_classes: int, names: list[str]) -> None:
    """Raises ``UserError`` if a mask (N, H, W) has a value that is neither a class nor void; names the file."""
    wrong = (masks >= num_classes) & (masks != VOID)
    if bool(wrong.any()):
        row = int(wrong.flatten(1).any(1).nonzero()[0])
        raise UserError(
            f"{names[row]}: a pixel is {int(masks[row][wrong[row]][0])}, but data.num_classes is {num_classes}: pixels "
            f"are 0 to {num_classes - 1}, or 255 for void"
        )
