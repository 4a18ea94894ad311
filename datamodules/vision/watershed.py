"""Counting cells without learning: what is dark is foreground, and each peak of the distance to its edge is a cell.

The method of image-processing courses (Otsu 1979; Beucher and Lantuejoul 1979, the watershed): the baseline beside the
detectors of ``vision/cells``. What absorbs red light is stained blue: white cells and platelets, told apart by their
size. The rest of the foreground is red cells. Two numbers are chosen on training pictures: how far apart two peaks are,
and from which size on a blue spot is a white cell.
"""

from itertools import product
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

TRIED = 100  # pictures of training for the choice
SPACINGS = (0.04, 0.055, 0.07, 0.09)  # of peaks, in fractions of the side
LARGE = (0.008, 0.016, 0.03)  # of a white cell's nucleus, in fractions of the picture's area
SMALLEST = 0.0008  # of a spot, likewise: less is noise


def otsu(values: np.ndarray) -> float:
    """The threshold between the two groups of numbers whose means are the farthest apart (Otsu 1979)."""
    counts, edges = np.histogram(values, 128)
    centers = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()
    above = below[-1] - below
    sums = (counts * centers).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(centers[np.nan_to_num(between).argmax()])


def absorbed(image: np.ndarray) -> np.ndarray:
    """How much light each pixel of an image (3, H, W) uint8 absorbs by channel, in natural logarithms: 0 for the
    background.
    """
    smooth = ndimage.gaussian_filter(image.astype(np.float32), (0, 1, 1))
    light = np.percentile(smooth, 95, (1, 2), keepdims=True)
    return np.log(light / smooth.clip(1)).clip(0)


def peaks(foreground: np.ndarray, spacing: int) -> np.ndarray:
    """Centers (n, 2), row and column, of touching discs in a mask (H, W): peaks of the distance to its edge."""
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(foreground), 1)
    highest = ndimage.maximum_filter(distance, 2 * spacing + 1)
    parts, count = ndimage.label((distance == highest) & (distance > spacing / 2))
    return np.array(ndimage.center_of_mass(parts, parts, range(1, count + 1))).reshape(-1, 2)


def count_cells(image: np.ndarray, spacing: float, large: float, classes: int) -> np.ndarray:
    """The number of platelets, red and white cells (3,) of an image (3, H, W) uint8.

    Args:
        image: Red, green, blue.
        spacing: Least distance of two red cells, in fractions of the side.
        large: From which area on a blue spot is a white cell, in fractions of the picture's.
        classes: With another number of classes than three all cells are one class, and the counts (classes,) of the
            others 0.
    """
    density, area = absorbed(image), image[0].size
    red = otsu(density[0])
    blue = density[0] > max(red, 0.25)  # eosin takes little red light
    parts, count = ndimage.label(ndimage.binary_opening(blue))
    sizes = ndimage.sum_labels(blue, parts, range(1, count + 1)) if count else np.zeros(0)
    white, small = int((sizes > large * area).sum()), int(((sizes <= large * area) & (sizes > SMALLEST * area)).sum())
    rest = (density[1] > otsu(density[1][~blue]) if (~blue).any() else blue) & ~ndimage.binary_dilation(blue, None, 2)
    step = max(1, round(spacing * image.shape[1]))
    found = len(peaks(ndimage.binary_fill_holes(ndimage.binary_opening(rest)), step))
    return np.array([small, found, white]) if classes == 3 else np.array([small + found + white] + [0] * (classes - 1))


def counts_baseline(splits: dict[str, tuple[Tensor, ...]], classes: int) -> dict[str, dict[str, Any]]:
    """Chance and the watershed's counts of the test split, as ``dive results`` shows them.

    Args:
        splits: ``train`` and ``test`` of an ``ObjectImages``.
        classes: The number of classes; three are platelets, red and white cells, in this order.
    """
    (images, train), (test_images, test) = (
        (splits[s][0].numpy(), true_counts(splits[s], classes)) for s in ("train", "test")
    )
    mean = np.broadcast_to(train.mean(0), test.shape)
    chance = {"what": "the mean counts of training", "metrics": count_errors(mean, test)}
    if images.shape[1] != 3:
        return {"chance": chance}

    def counted(pictures: np.ndarray, choice: tuple[float, float]) -> np.ndarray:
        return np.stack([count_cells(picture, *choice, classes) for picture in pictures])

    def error(choice: tuple[float, float]) -> float:
        return count_errors(counted(images[:TRIED], choice), train[:TRIED])["test/count_error"]

    best = min(product(SPACINGS, LARGE), key=error)
    what = f"thresholds and peaks of the distance to the edge (watershed), {best[0]:g} of the side apart"
    return {"chance": chance, "baseline": {"what": what, "metrics": count_errors(counted(test_images, best), test)}}


def true_counts(split: tuple[Tensor, ...], classes: int) -> np.ndarray:
    """How many objects of each class (N, K) pictures have, without ignored ones."""
    _, _, ignored, labels = split
    present = torch.where(ignored, -1, labels)
    return torch.stack([(present == k).sum(1) for k in range(classes)], 1).numpy().astype(np.float64)


def count_errors(found: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """``test/count_error`` and that of each class: sums over pictures of |found - true|, divided by the true number."""
    total = true.sum(0)
    each = {k: float(np.abs(found - true).sum(0)[k] / total[k]) for k in range(len(total)) if total[k]}
    by_class = {f"test/count_error_{k}": value for k, value in each.items()}
    return {"test/count_error": float(np.abs(found - true).sum() / max(total.sum(), 1)), **by_class}
