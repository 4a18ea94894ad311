"""The base of in-memory image sets: uint8 storage, scaling on the device, augmentation of a batch."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from common.messages import UserError
from datamodules.base import TensorDataModule
from datamodules.vision.augmentation import Augmentation, Pictures

LUMINANCE = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)


class ImageTensors(TensorDataModule):
    """Images (N, C, H, W) uint8 with labels (N,). A batch is x (B, C, image_size, image_size) float in [0, 1], y (B,).

    Args:
        num_classes, in_channels, image_size: Linked to the model's arguments of the same name. Images are converted to
            this size (bilinear, antialiased) and these channels once, when they are loaded.
        shift: Training images are moved by up to this many pixels in each direction; zeros fill the border.
        flip: Training images are mirrored left to right with probability 1/2.
        augmentation: More changes of training images (``datamodules/vision/augmentation.py``).
        **loader: See ``TensorDataModule``.
    """

    links = ("num_classes", "in_channels", "image_size")

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: int,
        shift: int = 0,
        flip: bool = False,
        augmentation: Augmentation | None = None,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.image_size = image_size
        self.shift = shift
        self.flip = flip
        self.augmentation = augmentation.checked() if augmentation is not None else None

    def fit_images(self, images: Tensor) -> Tensor:
        """Brings uint8 images (N, C, H, W) to ``image_size`` and ``in_channels``, in slices that keep memory small.

        Gray becomes color by three equal channels, color becomes gray by its luminance (ITU-R BT.601).

        Raises:
            UserError: ``in_channels`` is neither 1, nor 3, nor the images' own number.
        """
        n, c, k = self.image_size, images.shape[1], self.in_channels
        if c != k and {c, k} != {1, 3}:
            raise UserError(
                f"data.in_channels is {k}: the images of {type(self).__name__} have {c} channels, give that number"
            )
        parts = []
        for part in images.split(1024):
            if c == 3 and k == 1:
                part = ((part * LUMINANCE).sum(1, keepdim=True) + 0.5).byte()
            if part.shape[-2:] != (n, n):
                part = F.interpolate(part, (n, n), mode="bilinear", antialias=True)
            parts.append(part)
        return (torch.cat(parts) if len(parts) > 1 else parts[0]).expand(-1, k, -1, -1).contiguous()

    @property
    def input_means(self) -> str:  # type: ignore[override]
        kind = {1: "gray (0.299 R + 0.587 G + 0.114 B)", 3: "red, green, blue"}.get(self.in_channels, "channels")
        size = f"{self.image_size} x {self.image_size}"
        return f"images, {kind}, resized to {size} pixels, bytes / 255: numbers in [0, 1]"

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        images, *rest = batch
        return (images * (1 / 255), *rest)  # one pass: uint8 times a float is float32

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        images, *rest = batch
        if self.shift:
            images = random_shift(images, self.shift)
        if self.flip:
            images = random_flip(images)
        if self.augmentation is not None:
            *others, y = rest
            changed = self.augmentation(Pictures(images, classes=y), self.num_classes)
            assert changed.classes is not None
            images, rest = changed.x, [*others, changed.classes]
        return (images, *rest)


def random_shift(images: Tensor, pixels: int) -> Tensor:
    """Moves each image (B, C, H, W) by its own random offset of at most ``pixels`` each way; zeros fill the border."""
    b, _, h, w = images.shape
    padded = F.pad(images, [pixels] * 4)
    top = torch.randint(2 * pixels + 1, (b, 1), device=images.device)
    left = torch.randint(2 * pixels + 1, (b, 1), device=images.device)
    rows = (top + torch.arange(h, device=images.device))[:, :, None]  # (B, H, 1)
    columns = (left + torch.arange(w, device=images.device))[:, None, :]  # (B, 1, W)
    index = torch.arange(b, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[index, rows, columns].permute(0, 3, 1, 2)


def random_flip(images: Tensor) -> Tensor:
    """Mirrors each image (B, C, H, W) left to right with probability 1/2."""
    flip = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(flip, images.flip(-1), images)


class AnnotatedImages(ImageTensors):
    """Images whose annotations lie in the picture, so that both move together: a subclass's ``augment`` does it.

    Args:
        num_classes, in_channels, image_size: As of ``ImageTensors``.
        flip: Training images are mirrored left to right with probability 1/2, their annotations too.
        augmentation: More changes of training images and annotations (``datamodules/vision/augmentation.py``).
        **images: See ``TensorDataModule``.
    """

    #: What they are, in the plural.
    annotations = ""

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: int,
        flip: bool = False,
        augmentation: Augmentation | None = None,
        **images: Any,
    ) -> None:
        if images.get("shift"):
            raise UserError(
                f"data.shift would move the pictures without their {self.annotations}: give --data.augmentation.shift"
            )
        super().__init__(num_classes, in_channels, image_size, flip=flip, augmentation=augmentation, **images)
