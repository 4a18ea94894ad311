"""Cells: blood under a microscope, drawn: red cells, white cells and platelets, with exact boxes.

An offline stand-in for BCCD (``datamodules/vision/bccd.py``), with its classes and its sizes of cells relative to the
picture. Cells absorb light (Beer and Lambert): where two lie over one another it is darker, as on a slide. Red cells
are discs with a pale center, many of them in clumps; white cells have a nucleus of lobes; platelets are small. Each
picture has its own stain, light, focus and noise. Some cells are cut by the edge.

What is learned here is how to count, not what blood looks like: see "What this must not be used for" in docs/cells.md.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from datamodules.vision.objects import DrawnObjects
from datamodules.vision.watershed import counts_baseline

SIDE = 96  # pixels of a generated image
NAMES = ["Platelets", "RBC", "WBC"]  # BCCD's, in the order of the alphabet
PLATELET, RED, WHITE = range(3)
#: Semi-axes in fractions of the side, from and to: half of BCCD's mean sides are 0.037, 0.093 and 0.165.
RADII = ((0.028, 0.048), (0.075, 0.105), (0.13, 0.18))
#: How much of red, green and blue light is absorbed by a whole layer of each: eosin, cytoplasm, nucleus, platelet.
EOSIN, CYTOPLASM, NUCLEUS, GRANULES = np.array(
    [[0.12, 0.42, 0.34], [0.35, 0.42, 0.14], [0.75, 1.05, 0.38], [0.42, 0.62, 0.2]], np.float32
)
MOST_RED = 18  # red cells in a picture
MOST_SHARED = 0.5  # of the smaller one of two boxes that overlap
SEEDS = {"train": 0, "val": 1, "test": 2}
Objects = tuple[np.ndarray, np.ndarray, np.ndarray]  # boxes (n, 4) in fractions, ignored (n,), labels (n,)


class Cells(DrawnObjects):
    """Images (N, 3, 96, 96) generated with a fixed seed; resized if ``image_size`` is not 96.

    Args:
        train_size, val_size, test_size: Images of each split.
        **objects: See ``ObjectImages``.
    """

    def __init__(
        self,
        num_classes: int = len(NAMES),
        in_channels: int = 3,
        image_size: int = SIDE,
        train_size: int = 1000,
        val_size: int = 200,
        test_size: int = 300,
        **objects: Any,
    ) -> None:
        sizes: dict[str, Any] = {"train_size": train_size, "val_size": val_size, "test_size": test_size}
        super().__init__(num_classes=num_classes, in_channels=in_channels, image_size=image_size, **sizes, **objects)
        self.class_names = NAMES

    def drawn(self, split: str, count: int) -> tuple[Tensor, Sequence[tuple[Any, Any, Any]]]:
        return draw_cells(count, SEEDS[split])

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The mean counts of training, and counting by thresholds and distances to the edge, without learning."""
        return counts_baseline(self.splits, self.num_classes)


def draw_cells(count: int, seed: int) -> tuple[Tensor, list[Objects]]:
    """``count`` images (N, 3, 96, 96) uint8 and their objects."""
    random = np.random.default_rng(seed)
    images, objects = np.empty((count, 3, SIDE, SIDE), np.uint8), []
    for image in images:
        image[:], cells = draw_picture(random)
        boxes = np.array([visible(box) for _, box, _ in cells], np.float32).reshape(-1, 4) / SIDE
        labels = np.array([label for label, _, _ in cells], np.int64)
        objects.append((boxes, np.zeros(len(cells), bool), labels))
    return torch.from_numpy(images), objects


Cell = tuple[int, np.ndarray, tuple[np.ndarray, np.ndarray, float]]  # class, box (4,), (center, semi-axes, angle)


def draw_picture(random: np.random.Generator) -> tuple[np.ndarray, list[Cell]]:
    """One image (3, 96, 96) uint8 and its cells, with boxes in pixels that may reach over the edge."""
    cells = place_cells(random)
    density = np.zeros((3, SIDE, SIDE), np.float32)
    strength = random.uniform(0.75, 1.3, 2)  # of the pink stain and of the blue one
    for label, _, shape in cells:
        absorb(random, density, label, shape, strength)
    light = random.uniform(0.82, 1.0) * random.uniform(0.93, 1.0, (3, 1, 1))
    line = np.linspace(-1, 1, SIDE, dtype=np.float32)
    slant = random.uniform(-0.06, 0.06, 2)  # the lamp is not in the middle
    image = 255 * light * (1 + slant[0] * line[:, None] + slant[1] * line) * np.exp(-density)
    focus = random.uniform(0.3, 1.1)  # pixels
    image = ndimage.gaussian_filter(image, (0, focus, focus)) + random.normal(0, random.uniform(1, 6), image.shape)
    return image.clip(0, 255).astype(np.uint8), cells


def place_cells(random: np.random.Generator) -> list[Cell]:
    """Where the cells of a picture are: mostly red ones, half of them beside another one."""
    wanted = [WHITE] * random.choice(3, p=(0.2, 0.6, 0.2)) + [PLATELET] * random.choice(4, p=(0.3, 0.35, 0.2, 0.15))
    wanted += [RED] * random.integers(2, MOST_RED + 1)
    clumps = random.uniform(0, 0.8)
    cells: list[Cell] = []
    for label in wanted:
        for _ in range(8):  # then it has no place
            axes = SIDE * random.uniform(*RADII[label]) * np.array([1.0, random.uniform(0.82, 1.0)])
            angle = random.uniform(0, np.pi)
            red = [shape for other, _, shape in cells if other == RED]
            if label == RED and red and random.random() < clumps:
                center, other, _ = red[random.integers(len(red))]
                away = random.uniform(0, 2 * np.pi)
                reach = random.uniform(0.72, 1.0) * (axes[0] + other[0])
                center = center + reach * np.array([np.cos(away), np.sin(away)])
            else:
                center = random.uniform(0, SIDE, 2)
            cos, sin = abs(np.cos(angle)), abs(np.sin(angle))
            half = np.array([np.hypot(axes[0] * cos, axes[1] * sin), np.hypot(axes[0] * sin, axes[1] * cos)])
            box = np.concatenate([center - half, center + half])
            if size(visible(box)) > size(box) / 2 and all(shared(box, other) < MOST_SHARED for _, other, _ in cells):
                cells.append((label, box, (center, axes, angle)))
                break
    return cells


def absorb(
    random: np.random.Generator,
    density: np.ndarray,
    label: int,
    shape: tuple[np.ndarray, np.ndarray, float],
    strength: np.ndarray,
) -> None:
    """Adds what a cell absorbs to a picture's density (3, 96, 96)."""
    center, axes, angle = shape
    left, top = np.floor(center - axes[0] - 1).astype(int).clip(0)
    right, bottom = np.ceil(center + axes[0] + 2).astype(int).clip(max=SIDE)
    x, y = np.meshgrid(np.arange(left, right) + 0.5 - center[0], np.arange(top, bottom) + 0.5 - center[1])
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    r = np.hypot(u / axes[0], v / axes[1])
    inside = ((1 - r) * axes[1] + 0.5).clip(0, 1)  # one pixel from full to none
    pink, blue = strength
    if label == RED:
        pale = random.uniform(0.2, 0.7) * np.exp(-((r / 0.45) ** 2))
        layer = pink * EOSIN[:, None, None] * inside * (1 - pale)
    elif label == PLATELET:
        layer = blue * GRANULES[:, None, None] * inside * random.uniform(0.7, 1.2)
    else:
        nucleus = np.zeros_like(r)
        for turn in random.uniform(0, 2 * np.pi) + np.arange(random.integers(1, 5)) * 1.6:
            away = 0.35 * np.array([np.cos(turn), np.sin(turn)])
            lobe = np.hypot(u / axes[0] - away[0], v / axes[1] - away[1])
            nucleus = np.maximum(nucleus, ((random.uniform(0.38, 0.52) - lobe) * axes[1] + 0.5).clip(0, 1))
        layer = blue * inside * (CYTOPLASM[:, None, None] * (1 - nucleus) + NUCLEUS[:, None, None] * nucleus)
    density[:, top:bottom, left:right] += layer


def visible(box: np.ndarray) -> np.ndarray:
    """The part of a box that is in the picture."""
    return box.clip(0, SIDE)


def size(box: np.ndarray) -> float:
    """The area of a box in pixels."""
    return float(np.prod((box[2:] - box[:2]).clip(0)))


def shared(one: np.ndarray, other: np.ndarray) -> float:
    """The part of the smaller one of two boxes that lies in the other one."""
    common = size(np.concatenate([np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])]))
    return common / min(size(one), size(other))
