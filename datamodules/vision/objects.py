"""The base of image sets with objects: boxes that are padded to the largest number in a picture, and moved with it.

A batch is x (B, C, S, S) float in [0, 1], boxes (B, M, 4) as (left, top, right, bottom) in fractions of the picture,
ignored (B, M) bool for objects that neither teach nor count, labels (B, M), -1 where a picture has fewer than M
objects.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.vision.images import ImageTensors


class ObjectImages(ImageTensors):
    """Images (N, C, H, W) uint8 with the boxes (N, M, 4), ignored (N, M) and labels (N, M) of their objects.

    Args:
        num_classes, in_channels, image_size: As of ``ImageTensors``; the background is not a class.
        flip: Training images are mirrored left to right with probability 1/2, their boxes too.
        zoom: A training image is cut or padded at random: its side is multiplied by at most this factor, or divided by
            it, about a random center. 1 leaves it as it is. Objects of which less than a third stays in the picture
            are left out of the loss.
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
            raise UserError("data.shift would move the pictures without their boxes: give --data.zoom")
        super().__init__(num_classes, in_channels, image_size, flip=flip, **images)
        if zoom < 1:
            raise UserError(f"data.zoom is {zoom}: give a factor of at least 1")
        self.zoom = zoom

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, boxes, ignored, labels = batch
        if self.flip:
            x, boxes = flip_with_boxes(x, boxes, torch.rand(len(x), device=x.device) < 0.5)
        if self.zoom > 1:
            x, boxes, seen = zoom_with_boxes(x, boxes, self.zoom)
            ignored = ignored | (seen < 1 / 3)
        return x, boxes, ignored, labels


def flip_with_boxes(x: Tensor, boxes: Tensor, flip: Tensor) -> tuple[Tensor, Tensor]:
    """Mirrors those images (B, C, H, W) and their boxes (B, M, 4) left to right that ``flip`` (B,) names."""
    mirrored = torch.stack([1 - boxes[..., 2], boxes[..., 1], 1 - boxes[..., 0], boxes[..., 3]], -1)
    return (
        torch.where(flip.view(-1, 1, 1, 1), x.flip(-1), x),
        torch.where(flip.view(-1, 1, 1), mirrored, boxes),
    )


def zoom_with_boxes(x: Tensor, boxes: Tensor, most: float) -> tuple[Tensor, Tensor, Tensor]:
    """Cuts a random square out of each image (B, C, H, W), or puts it into a larger gray one; all at the same size.

    Returns:
        The images; the boxes (B, M, 4) inside of them; which part of each box's area that is (B, M).
    """
    b, device = len(x), x.device
    side = most ** (2 * torch.rand(b, device=device) - 1)  # of the new picture, in sides of the old one
    start = torch.rand(b, 2, device=device) * (1 - side)[:, None]  # its left and top: negative where it is larger
    theta = torch.zeros(b, 2, 3, device=device)
    theta[:, 0, 0] = theta[:, 1, 1] = side
    theta[:, :, 2] = 2 * start + side[:, None] - 1  # affine_grid counts from -1 to 1
    grid = torch.nn.functional.affine_grid(theta, list(x.shape), align_corners=False).to(x.dtype)
    moved = torch.nn.functional.grid_sample(x - 0.5, grid, mode="bilinear", align_corners=False) + 0.5
    new = (boxes - start.repeat(1, 2)[:, None]) / side[:, None, None]
    cut = new.clamp(0, 1)
    before, after = (((p[..., 2:] - p[..., :2]).prod(-1)) for p in (new, cut))
    return moved, cut, after / before.clamp(min=1e-12)


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
