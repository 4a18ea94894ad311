"""RandAugment and random erasing on a batch, with a draw of its own for each picture.

Cubuk et al. 2020, "RandAugment: Practical automated data augmentation with a reduced search space"; Zhong et al. 2020,
"Random Erasing Data Augmentation". Goodfellow et al. 7.4; D2L 14.1.
Departs from RandAugment: of its 14 changes these are the ones that a batch does at once, nine with doing nothing; all
that move a picture are one affine map, so that several blur it no more than one; no color, since digits have none. All
changes of color: ``datamodules/vision/augmentation.py``.

    dive fit cnn/lenet -c regularizer/rand_augment
    dive fit cnn/lenet -c regularizer/random_erasing
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.layers.precision import at_least_float32, full_precision
from lit_models.tasks.regularizer import PICTURES, Regularizer, between

#: The changes and what each is at magnitude 1: fractions of the side, radians, factors.
CHANGES = ("nothing", "move_x", "move_y", "rotate", "shear_x", "shear_y", "scale", "brightness", "contrast")
MOST = torch.tensor([0.0, 0.45, 0.45, math.pi / 6, 0.3, 0.3, 0.4, 0.9, 0.9])


class RandAugment(Regularizer):
    """``changes`` random changes of each picture, each of the same magnitude with a random sign.

    Args:
        changes: How many, drawn with replacement.
        magnitude: From 0 to 1, where 1 is the largest of the paper: 30 degrees, 0.45 of the side.
    """

    order = PICTURES
    needs = "images"

    def __init__(self, changes: int = 2, magnitude: float = 0.3) -> None:
        self.changes = int(between(self, "changes", changes, 1))
        self.magnitude = between(self, "magnitude", magnitude, 0, 1)

    def batch(self, task: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        shape = (len(x), self.changes)
        kinds = torch.randint(len(CHANGES), shape, device=x.device)
        signs = 1 - 2 * torch.randint(2, shape, device=x.device)
        return changed(x, kinds, self.magnitude * signs), y


class RandomErasing(Regularizer):
    """With a probability, a rectangle of a picture becomes noise from [0, 1].

    Args:
        probability: Of a picture.
        most: The largest fraction of the area; the smallest is 0.02, as in the paper.
    """

    order = PICTURES + 0.75
    needs = "images"

    def __init__(self, probability: float = 0.5, most: float = 0.25) -> None:
        self.probability = between(self, "probability", probability, 0, 1)
        self.most = between(self, "most", most, 0.02, 1)

    def batch(self, task: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        def uniform(*shape: int) -> Tensor:
            return torch.rand(len(x), *shape, device=x.device)

        area, aspect = 0.02 + (self.most - 0.02) * uniform(), ((2 * uniform() - 1) * math.log(3.3)).exp()
        inside = rectangles(area, aspect, uniform(2), x.shape[-2], x.shape[-1])
        inside &= (uniform() < self.probability)[:, None, None]
        return torch.where(inside[:, None], torch.rand_like(x), x), y


def changed(x: Tensor, kinds: Tensor, amounts: Tensor) -> Tensor:
    """Pictures (B, C, H, W) after their changes: the affine ones first, the last of them first, then those of color.

    Half precision would round the maps, and pixels would land beside their places: all is computed in single.

    Args:
        x: In [0, 1].
        kinds: Numbers of ``CHANGES`` (B, N).
        amounts: Signed magnitudes (B, N) from -1 to 1.
    """
    given, x = x.dtype, at_least_float32(x)
    with full_precision(x):
        maps = torch.eye(3, dtype=MOST.dtype, device=x.device).repeat(len(x), 1, 1)
        for kind, amount in zip(kinds.T, amounts.T, strict=True):
            maps = affine(kind, amount * MOST.to(x.device)[kind]) @ maps
        grid = F.affine_grid(maps[:, :2], list(x.shape), align_corners=False).to(x.dtype)
        x = F.grid_sample(x, grid, align_corners=False)
        for kind, amount in zip(kinds.T, amounts.T, strict=True):
            factor = (1 + amount * MOST.to(x.device)[kind]).to(x.dtype)[:, None, None, None]
            kind = kind[:, None, None, None]
            mean = x.mean((1, 2, 3), keepdim=True)
            x = torch.where(kind == 7, x * factor, torch.where(kind == 8, mean + (x - mean) * factor, x)).clamp(0, 1)
    return x.to(given)


def affine(kind: Tensor, amount: Tensor) -> Tensor:
    """The map (B, 3, 3) from places in the new picture to those in the old one, both from -1 to 1.

    Args:
        kind: Numbers of ``CHANGES`` (B,); those of colors move nothing.
        amount: (B,), in the units of ``MOST``.
    """

    def where(number: int, value: Tensor) -> Tensor:
        return torch.where(kind == number, value, torch.zeros_like(value))

    angle = where(3, amount)
    factor = (where(6, amount)).exp()
    zero, one = torch.zeros_like(amount), torch.ones_like(amount)
    rows = [
        [factor * angle.cos(), where(4, amount) - angle.sin(), 2 * where(1, amount)],
        [where(5, amount) + angle.sin(), factor * angle.cos(), 2 * where(2, amount)],
        [zero, zero, one],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def rectangles(area: Tensor, aspect: Tensor, corner: Tensor, height: int, width: int) -> Tensor:
    """Which pixels (B, H, W) lie in a rectangle inside of each picture.

    Args:
        area: Fractions of the picture (B,).
        aspect: Height divided by width, in pixels (B,).
        corner: Where in the free space its corner is (B, 2), y and x, in [0, 1).
        height, width: Of the picture in pixels.
    """
    found = []
    for place, size, ratio in ((corner[:, 0], height, aspect), (corner[:, 1], width, 1 / aspect)):
        side = (area * height * width * ratio).sqrt().round().clamp(1, size)
        start = (place * (size - side + 1)).floor()[:, None]
        at = torch.arange(size, device=area.device)
        found.append((at >= start) & (at < start + side[:, None]))
    return found[0][:, :, None] & found[1][:, None, :]
