"""Large shapes on photographs with the class of each pixel: small enough to learn in a minute on one thread.

One to three triangles, crosses and rings of any color, size and angle on crops of scikit-learn's two photographs.
Nothing in the color tells an object from the background, so a network must look around each pixel to know the class;
and arms and holes are a few pixels wide, so it must keep the full resolution to know the edge. ``SceneMasks`` has the
harder scenes: up to eight objects of 12 to 48 pixels, digits among them, in 96 pixels.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.vision.masks import MaskImages
from datamodules.vision.scene_masks import nearest, only_background
from datamodules.vision.scenes import COLUMNS, backgrounds
from datamodules.vision.textured_shapes import SHAPES, shape_mask, turned

SIDE = 48  # pixels of a generated image
NAMES = ["triangle", "cross", "ring"]
MOST = 3  # objects in a picture


class ShapeMasks(MaskImages):
    """Images (N, 3, 48, 48) with masks (N, 48, 48): 0 the background, then triangles, crosses and rings.

    Args:
        num_classes, in_channels, image_size: Four classes, in color; images are always generated with 48 pixels.
        train_size, val_size, test_size: Images of each split.
        **masks: See ``MaskImages``.
    """

    def __init__(
        self,
        num_classes: int = len(NAMES) + 1,
        in_channels: int = 3,
        image_size: int = SIDE,
        train_size: int = 2000,
        val_size: int = 200,
        test_size: int = 400,
        **masks: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **masks)
        self.sizes = dict(zip(COLUMNS, (train_size, val_size, test_size), strict=True))
        self.class_names = ["background", *NAMES]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, size in self.sizes.items():
            images, masks = draw_pictures(size, name)
            if self.image_size != SIDE:
                masks = nearest(masks, [self.image_size] * 2)
            splits[name] = self.fit_images(images), masks
        return splits | {"predict": (splits["test"][0],)}

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The background everywhere."""
        return only_background(self.splits["test"][1])


def draw_pictures(count: int, split: str) -> tuple[Tensor, Tensor]:
    """``count`` images (N, 3, 48, 48) uint8 and their masks (N, 48, 48) uint8, the same for each call.

    The objects of a picture lie in different quarters of it, moved by up to 5 pixels: a later one may cover the edge of
    an earlier one, but none is hidden.
    """
    random = np.random.default_rng([1, list(COLUMNS).index(split)])
    images = F.avg_pool2d(torch.from_numpy(backgrounds(random, count, split)).float(), 2)  # of 96 pixels
    draw = torch.Generator().manual_seed(int(random.integers(1 << 31)))

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=draw) * (high - low) + low

    masks = torch.zeros(count, SIDE, SIDE, dtype=torch.uint8)
    quarters = uniform(0, 1, 4).argsort(1)
    number = torch.randint(1, MOST + 1, (count,), generator=draw)
    line = torch.arange(SIDE) + 0.5
    x, y = torch.meshgrid(line, line, indexing="xy")  # (48, 48) pixels
    for k in range(MOST):
        label = torch.randint(len(NAMES), (count,), generator=draw)
        left, top = (SIDE / 4 + SIDE / 2 * part for part in (quarters[:, k] % 2, quarters[:, k] // 2))
        u, v = turned(
            x - left.view(-1, 1, 1) - uniform(-5, 5, 1, 1),
            y - top.view(-1, 1, 1) - uniform(-5, 5, 1, 1),
            uniform(0, 6.2832, 1, 1),
        )
        radius = uniform(8, 13, 1, 1)
        inside = shape_mask(u / radius, v / radius, label + SHAPES.index(NAMES[0]))
        inside &= (k < number).view(-1, 1, 1)
        color = uniform(0, 255, 3, 1, 1)
        color = color + 6 * torch.randn(count, 3, SIDE, SIDE, generator=draw)
        images = torch.where(inside[:, None], color, images)
        masks = torch.where(inside, (label + 1).view(-1, 1, 1).to(torch.uint8), masks)
    return (images + 0.5).clamp(0, 255).byte(), masks
