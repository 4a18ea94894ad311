"""Shapes with a texture, laid over photographs: ten classes that need both the shape and the texture.

A class is one of five shapes (disc, square, triangle, cross, ring) with stripes or with checks. Colors, place, size,
angles and the period of the texture are random and independent of the class. The best accuracy is a half from the shape
only, a fifth from the texture only, a tenth without both, and nearly 1 from both.

The backgrounds are crops of the two photographs that scikit-learn ships. Training, validation and test crops come
from different columns of them, so that the splits have no background in common.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.vision.images import ImageTensors

SHAPES = ("disc", "square", "triangle", "cross", "ring")
TEXTURES = ("striped", "checked")
COLUMNS = {"train": (0, 200), "val": (200, 260), "test": (260, 320)}  # of the photographs at half their size, 213 x 320
SIDE = 32  # pixels of a generated image


class TexturedShapes(ImageTensors):
    """Images (N, 3, 32, 32) generated with a fixed seed; resized if ``image_size`` is not 32.

    Args:
        train_size, val_size, test_size: Images of each split; the classes are equally frequent.
        **images: See ``ImageTensors``.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        train_size: int = 4000,
        val_size: int = 500,
        test_size: int = 1000,
        **images: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        self.class_names = [f"{texture} {shape}" for shape in SHAPES for texture in TEXTURES]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits: dict[str, tuple[Tensor, ...]] = {}
        for seed, (name, size) in enumerate(self.sizes.items()):
            images, labels = draw_images(size, COLUMNS[name], torch.Generator().manual_seed(seed))
            splits[name] = self.fit_images(images), labels
        return splits | {"predict": (splits["test"][0],)}


def draw_images(count: int, columns: tuple[int, int], random: torch.Generator) -> tuple[Tensor, Tensor]:
    """``count`` images (N, 3, 32, 32) uint8 on backgrounds from the columns given, and their classes (N,)."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=random) * (high - low) + low

    labels = torch.arange(count) % 10
    labels = labels[torch.randperm(count, generator=random)]
    x, y = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="xy")  # (32, 32) pixels
    x, y = x - SIDE / 2 - uniform(-5, 5, 1, 1), y - SIDE / 2 - uniform(-5, 5, 1, 1)  # (N, 32, 32) from the center
    size = uniform(9, 12, 1, 1)
    u, v = turned(x, y, uniform(0, 6.2832, 1, 1))
    inside = shape_mask(u / size, v / size, labels // 2)
    first = inked(x, y, labels % 2 == 1, uniform(0, 3.1416, 1, 1), uniform(4.5, 7, 1, 1), uniform(0, 6.2832, 2, 1, 1))
    ink = uniform(0, 0.35, 3)  # dark and light, each of any hue
    paper = uniform(0.65, 1, 3)
    swap = uniform(0, 1, 1) < 0.5
    ink, paper = torch.where(swap, paper, ink)[..., None, None], torch.where(swap, ink, paper)[..., None, None]
    drawn = torch.where(first[:, None], ink, paper)  # (N, 3, 32, 32)
    images = torch.where(inside[:, None], drawn, backgrounds(count, columns, random))
    return (images * 255 + 0.5).byte(), labels


def turned(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates in axes rotated by ``angle``."""
    return x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()


def shape_mask(u: Tensor, v: Tensor, shape: Tensor) -> Tensor:
    """Which points (u, v) are in the shape of each image: (N, 32, 32) bool. All shapes fit into about the unit disc."""
    radius = u.square() + v.square()
    arms = torch.maximum(u.abs(), v.abs())
    triangle = torch.maximum(v, u.abs() * 0.866 - v / 2) < 0.55
    masks = [
        radius < 0.8,
        arms < 0.8,
        triangle,
        (arms < 1) & (torch.minimum(u.abs(), v.abs()) < 0.36),
        (radius < 1) & (radius > 0.2),
    ]
    return torch.stack(masks, 1)[torch.arange(len(u)), shape]


def inked(x: Tensor, y: Tensor, checked: Tensor, angle: Tensor, period: Tensor, phase: Tensor) -> Tensor:
    """Where the first of two colors is: in stripes, or in checks where ``checked``. (N, 32, 32) bool."""
    along, across = (c * 6.2832 / period for c in turned(x, y, angle))
    stripes = (along + phase[:, 0]).sin() > 0
    other = (across + phase[:, 1]).sin() > 0
    return stripes ^ (other & checked[:, None, None])


def backgrounds(count: int, columns: tuple[int, int], random: torch.Generator) -> Tensor:
    """Random crops (N, 3, 32, 32) of the photographs, at half their size, in [0, 1]; half of them are mirrored."""
    return crops(count, columns, random, SIDE)


def crops(count: int, columns: tuple[int, int], random: torch.Generator, side: int) -> Tensor:
    """As ``backgrounds``, of ``side`` pixels; from columns or photographs with fewer, smaller crops are enlarged."""
    from sklearn.datasets import load_sample_images

    photos = torch.stack([torch.from_numpy(photo.copy()) for photo in load_sample_images().images])  # (2, 427, 640, 3)
    photos = F.avg_pool2d(photos.permute(0, 3, 1, 2).float() / 255, 2)[..., columns[0] : columns[1]]
    width = min(side, *photos.shape[2:])
    pieces = photos.unfold(2, width, 1).unfold(3, width, 1)  # (2, 3, rows, columns, width, width), a view
    which, top, left = (torch.randint(n, (count,), generator=random) for n in (2, *pieces.shape[2:4]))
    chosen = pieces[which, :, top, left]  # (N, 3, width, width)
    chosen = F.interpolate(chosen, size=(side, side), mode="bilinear") if width < side else chosen
    mirror = torch.rand(count, 1, 1, 1, generator=random) < 0.5
    return torch.where(mirror, chosen.flip(-1), chosen)
