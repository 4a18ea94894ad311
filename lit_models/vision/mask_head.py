"""The mask head: which pixels of a region show its object, whatever its class.

He et al. 2017, "Mask R-CNN", section 3 and figure 4. D2L 14.8. Four convolutions and a transposed one on the region's
features, then a map of logits for each class: the classes do not compete for a pixel, and what an object is stays with
the box head. Taught on regions of objects only, by the object's mask in the region (RoIAlign of 0 and 1). Parameters
have torchvision's names.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.functional.regions import neighbors


class MaskHead(nn.Sequential):
    """Four convolutions: (R, in_channels, M, M) -> (R, channels, M, M).

    Args:
        in_channels: Of the features.
        channels: Of each convolution.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        inputs = [in_channels, channels, channels, channels]
        super().__init__(*(nn.Sequential(nn.Conv2d(c, channels, 3, padding=1), nn.ReLU()) for c in inputs))
        self.apply(initialize)


class MaskPredictor(nn.Module):
    """Twice the resolution, and a map for each class: (R, channels, M, M) -> logits (R, 1 + num_classes, 2 M, 2 M).

    Args:
        channels: Of the mask head.
        num_classes: Number of classes; map 0 is the background's, which nobody uses, as in torchvision.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv5_mask = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.mask_fcn_logits = nn.Conv2d(channels, 1 + num_classes, 1)
        self.apply(initialize)

    def forward(self, x: Tensor) -> Tensor:
        return self.mask_fcn_logits(F.relu(self.conv5_mask(x)))


def initialize(module: nn.Module) -> None:
    """He et al. 2015, by the outputs (fan_out), as torchvision."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def mask_targets(masks: Tensor, regions: Tensor, size: int) -> Tensor:
    """The part (R, size, size) of each mask in its region: RoIAlign with about a reading per pixel, as torchvision.

    A region is upright, so that the readings of its rows and of its columns are two matrices.

    Args:
        masks: (R, H, W), 1 where a pixel shows the region's object.
        regions: (R, 4) in pixels.
        size: Parts along each side.
    """
    height, width = masks.shape[1:]
    down = readings(regions[:, 1], regions[:, 3], size, height)
    across = readings(regions[:, 0], regions[:, 2], size, width)
    return down @ masks.to(regions.dtype) @ across.mT


def readings(start: Tensor, end: Tensor, size: int, length: int) -> Tensor:
    """What each of ``length`` pixels weighs in the parts of regions from ``start`` to ``end`` (R,): (R, size, length).

    A part is the mean of as many readings as it has pixels, rounded up.
    """
    width = (end - start).clamp(min=1) / size  # (R,) of a part, in pixels
    count = width.ceil()
    most = int(count.max()) if len(count) else 1
    step = torch.arange(most, device=start.device, dtype=start.dtype)
    used = step < count[:, None]  # (R, most)
    part = torch.arange(size, device=start.device, dtype=start.dtype)
    inside = (step + 0.5) / count[:, None]  # in parts, from the part's start
    place = start[:, None, None] + (part[:, None] + inside[:, None]) * width[:, None, None]  # (R, size, most)
    pixels, weights = neighbors(place.flatten(1), length)  # (R, size most, 2)
    weights = weights.unflatten(1, (size, most)) * (used / count[:, None])[:, None, :, None]
    found = start.new_zeros(len(start), size, length)
    return found.scatter_add(2, pixels.unflatten(1, (size, most)).flatten(2), weights.flatten(2))


def mask_loss(logits: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
    """The loss (R,) of each region: binary cross-entropy on the map of its object's class, the mean over its cells.

    Args:
        logits: (R, K, M, M).
        targets: (R, M, M) between 0 and 1.
        labels: The class (R,) of each region's object, from 0 on.
    """
    own = logits[torch.arange(len(labels), device=labels.device), labels]
    return F.binary_cross_entropy_with_logits(own, targets, reduction="none").mean((1, 2))


def pasted(masks: Tensor, boxes: Tensor, height: int, width: int, threshold: float = 0.5) -> Tensor:
    """Which pixels (n, height, width) of a picture belong to objects: masks in their boxes, between cells linear.

    Args:
        masks: (n, M, M), probabilities.
        boxes: (n, 4) in pixels, not rounded.
        height, width: Of the picture.
        threshold: The least probability.
    """
    down, across = (stretched(boxes[:, k], boxes[:, k + 2], masks.shape[-1], n) for k, n in ((1, height), (0, width)))
    return down @ masks.to(boxes.dtype) @ across.mT >= threshold


def stretched(start: Tensor, end: Tensor, size: int, length: int) -> Tensor:
    """What each of ``size`` cells between ``start`` and ``end`` (n,) gives to each pixel: (n, length, size)."""
    center = torch.arange(length, device=start.device, dtype=start.dtype) + 0.5
    start, end = start[:, None], end[:, None]
    place = ((center - start) / (end - start).clamp(min=1e-6) * size - 0.5).clamp(0, size - 1)  # (n, length)
    cell = torch.arange(size, device=start.device, dtype=start.dtype)
    weight = (1 - (place[..., None] - cell).abs()).clamp(min=0)
    return weight * ((center > start) & (center < end))[..., None]
