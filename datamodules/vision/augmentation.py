"""Augmentation of a batch on its device: each picture has a draw of its own, and boxes and masks move with it.

D2L 14.1; Cubuk et al. 2020 (the set of changes), Bochkovskiy et al. 2020 (mosaic), Zhang et al. 2018 (mixup).
torchvision's transforms of a batch draw once for all its pictures, and picture by picture they take several times as
long; at equal parameters the results are equal (``tests/datamodules/vision/test_augmentation.py``).

    dive fit cnn/resnet_textured_shapes --data.augmentation Augmentation --data.augmentation.rotate 15
    dive fit vision/ssd --data.augmentation Augmentation --data.augmentation.color 0.4 --data.augmentation.mosaic 0.5

Everything geometric is one affine map, sampled once: three changes blur a picture no more than one.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from common.messages import UserError

VOID = 255
GRAY = (0.2989, 0.587, 0.114)  # torchvision's weights
MOST = {"flip": 1.0, "shift": 1.0, "rotate": 180.0, "shear": 60.0, "color": 1.0, "hue": 0.5, "mosaic": 1.0}
LEAST_SEEN = 1 / 3  # of an object's area: with less of it in the picture it is ignored


@dataclass
class Pictures:
    """A batch: x (B, C, H, W) in [0, 1], and what belongs to it.

    Args:
        x: The images.
        boxes, ignored, labels: (B, M, 4) in fractions, (B, M) and (B, M), as in ``ObjectImages``.
        masks: (B, H, W) classes, 255 for void.
        classes: (B,), or (B, K) distributions.
    """

    x: Tensor
    boxes: Tensor | None = None
    ignored: Tensor | None = None
    labels: Tensor | None = None
    masks: Tensor | None = None
    classes: Tensor | None = None


class Augmentation:
    """Random changes of training pictures. What is 0 is not done.

    Args:
        flip: Probability of a mirrored picture.
        scale: The side is multiplied by a factor between 1 / (1 + scale) and 1 + scale, evenly in its logarithm.
        shift: A picture moves by up to this fraction of its side in each direction.
        rotate: Degrees, at most, each way.
        shear: Degrees, at most, each way, along x.
        color: Brightness, contrast and saturation are multiplied by factors from 1 - color to 1 + color.
        hue: Turned by at most this fraction of the circle, each way; at most 0.5.
        mosaic: Probability that a picture is a random cut out of four that lie in a square. Not for data with classes.
        mixup: The parameter of the Beta distribution of the mixture of two pictures, and of their classes, or with the
            objects of both. Not for data with masks.
    """

    def __init__(
        self,
        flip: float = 0.0,
        scale: float = 0.0,
        shift: float = 0.0,
        rotate: float = 0.0,
        shear: float = 0.0,
        color: float = 0.0,
        hue: float = 0.0,
        mosaic: float = 0.0,
        mixup: float = 0.0,
    ) -> None:
        self.flip, self.scale, self.shift, self.rotate, self.shear = flip, scale, shift, rotate, shear
        self.color, self.hue, self.mosaic, self.mixup = color, hue, mosaic, mixup

    def checked(self) -> "Augmentation":
        """Itself. Raises ``UserError`` for a number that cannot be; the datamodule calls it: an error of one line."""
        for name, value in vars(self).items():
            if not 0 <= value <= (most := MOST.get(name, math.inf)):
                raise UserError(f"data.augmentation.{name} is {value}: give a number from 0 to {most:g}")
        return self

    def __call__(self, batch: Pictures, num_classes: int = 0) -> Pictures:
        """The changed batch. ``num_classes`` turns classes into distributions where pictures are mixed.

        Raises:
            UserError: A change that this kind of data cannot have.
        """
        if self.mosaic:
            if batch.classes is not None:
                raise UserError("data.augmentation.mosaic: a picture of four has no one class: leave it at 0")
            batch = mosaic(batch, self.mosaic)
        if any((self.flip, self.scale, self.shift, self.rotate, self.shear)):
            batch = warp(batch, self.draw_maps(batch.x))
        if self.color or self.hue:
            batch = replace(batch, x=self.recolor(batch.x))
        if self.mixup:
            if batch.masks is not None:
                raise UserError("data.augmentation.mixup: a mixed pixel has no one class: leave it at 0")
            batch = mixup(batch, self.mixup, num_classes)
        return batch

    def draw_maps(self, x: Tensor) -> Tensor:
        """A map (B, 2, 3) for each image (B, C, H, W)."""

        def uniform(most: float) -> Tensor:
            return (2 * torch.rand(len(x), device=x.device) - 1) * most

        sign = 1 - 2 * (torch.rand(len(x), device=x.device) < self.flip).float()
        scale = (uniform(1.0) * math.log1p(self.scale)).exp()
        shift = torch.stack([uniform(self.shift), uniform(self.shift)], 1)
        return affine_maps(uniform(self.rotate), shift, scale, uniform(self.shear), sign, x.shape[-1] / x.shape[-2])

    def recolor(self, x: Tensor) -> Tensor:
        """Images of other colors. Gray ones have brightness and contrast only."""

        def factor() -> Tensor:
            return 1 + (2 * torch.rand(len(x), device=x.device) - 1) * self.color

        if self.color:
            x = adjust_contrast(adjust_brightness(x, factor()), factor())
            x = adjust_saturation(x, factor()) if x.shape[1] == 3 else x
        if self.hue and x.shape[1] == 3:
            x = adjust_hue(x, (2 * torch.rand(len(x), device=x.device) - 1) * self.hue)
        return x


# -- places ---------------------------------------------------------------------------------------------------------


def affine_maps(
    degrees: Tensor, shift: Tensor, scale: Tensor, shear: Tensor, sign: Tensor, aspect: float = 1.0
) -> Tensor:
    """Maps (B, 2, 3) from places in the old pictures to those in the new ones, both from -1 to 1.

    Args:
        degrees: (B,) of a rotation, clockwise on the screen.
        shift: (B, 2) in fractions of the width and of the height.
        scale: (B,).
        shear: (B,) degrees along x.
        sign: (B,) -1 mirrors, before everything else.
        aspect: Width divided by height: a rotation is one of pixels.
    """
    angle, lean = degrees * math.pi / 180, shear * math.pi / 180
    one, zero = torch.ones_like(angle), torch.zeros_like(angle)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    skew = torch.stack([one, -lean.tan(), zero, one], 1).view(-1, 2, 2)  # torchvision's sign
    mirror = torch.stack([sign, zero, zero, one], 1).view(-1, 2, 2)
    pixels = scale.view(-1, 1, 1) * turn @ skew @ mirror
    ratio = pixels.new_tensor([[1.0, 1 / aspect], [aspect, 1.0]])  # the units of x and y differ
    return torch.cat([pixels * ratio, 2 * shift[:, :, None]], 2)


def warp(batch: Pictures, maps: Tensor) -> Pictures:
    """Moves pictures, boxes and masks by maps (B, 2, 3). What comes from outside is black, and void in masks."""
    inverse = torch.linalg.inv(maps[..., :2])
    theta = torch.cat([inverse, -inverse @ maps[..., 2:]], 2)
    columns, rows = (((2 * torch.arange(n, device=maps.device) + 1) / n - 1).to(maps) for n in batch.x.shape[:1:-1])
    across, down = theta[..., :1] * columns, theta[..., 1:2] * rows + theta[..., 2:]  # (B, 2, W), (B, 2, H)
    grid = (
        (across[:, :, None] + down[..., None]).permute(0, 2, 3, 1).to(batch.x.dtype)
    )  # as F.affine_grid, (B, H, W, 2)
    moved = replace(batch, x=F.grid_sample(batch.x, grid, mode="bilinear", align_corners=False))
    if batch.masks is not None:
        there = batch.masks[:, None].to(batch.x.dtype) - VOID
        found = F.grid_sample(there, grid, mode="nearest", align_corners=False)[:, 0] + VOID
        moved.masks = found.round().long()
    if batch.boxes is not None:
        moved = with_boxes(moved, warp_boxes(batch.boxes, maps.to(batch.boxes.dtype)))
    return moved


def warp_boxes(boxes: Tensor, maps: Tensor) -> Tensor:
    """The smallest upright boxes around the moved corners of boxes (B, M, 4), in fractions, some outside of [0, 1]."""
    corners = boxes[..., [0, 1, 2, 1, 2, 3, 0, 3]].unflatten(-1, (4, 2)) * 2 - 1  # (B, M, 4, 2)
    moved = (corners @ maps[:, None, :, :2].mT + maps[:, None, None, :, 2] + 1) / 2
    return torch.cat([moved.amin(2), moved.amax(2)], -1)


def with_boxes(batch: Pictures, boxes: Tensor) -> Pictures:
    """The batch with boxes (B, M, 4), cut at the edge of their pictures; objects that are hardly seen are ignored."""
    assert batch.ignored is not None and batch.labels is not None
    cut = boxes.clamp(0, 1)
    whole, seen = ((part[..., 2:] - part[..., :2]).prod(-1) for part in (boxes, cut))
    part = seen / whole.clamp(min=1e-12)
    gone = seen <= 0
    return replace(
        batch,
        boxes=cut.masked_fill(gone[..., None], 0.0),
        ignored=batch.ignored | ((part < LEAST_SEEN) & ~gone),
        labels=batch.labels.masked_fill(gone, -1),
    )


# -- colors ---------------------------------------------------------------------------------------------------------


def by_picture(factor: Tensor, x: Tensor) -> Tensor:
    """Factors (B,) of images x (B, C, H, W) as (B, 1, 1, 1)."""
    return factor.view(-1, 1, 1, 1).to(x.dtype)


def gray(x: Tensor) -> Tensor:
    """The luminance (B, 1, H, W) of images (B, 3, H, W); gray images as they are."""
    if x.shape[1] != 3:
        return x
    red, green, blue = x.split(1, 1)
    return (red * GRAY[0]).add_(green, alpha=GRAY[1]).add_(blue, alpha=GRAY[2])


def adjust_brightness(x: Tensor, factor: Tensor) -> Tensor:
    return (x * by_picture(factor, x)).clamp_(0, 1)


def adjust_contrast(x: Tensor, factor: Tensor) -> Tensor:
    mean = gray(x.mean((2, 3), keepdim=True)).mean(1, keepdim=True)  # of the gray picture: the gray of the means
    return torch.lerp(mean, x, by_picture(factor, x)).clamp_(0, 1)


def adjust_saturation(x: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(gray(x), x, by_picture(factor, x)).clamp_(0, 1)


def adjust_hue(x: Tensor, turn: Tensor) -> Tensor:
    """Turns the hue of images (B, 3, H, W) by fractions (B,) of the circle: through hue, saturation and value."""
    value, smallest = x.amax(1), x.amin(1)  # (B, H, W)
    chroma = value - smallest
    red, green, blue = x.unbind(1)
    safe = torch.where(chroma > 0, chroma, 1.0)
    sector = torch.where(value == red, (green - blue) / safe, (blue - red) / safe + 2)
    sector = torch.where((value == blue) & (value != red) & (value != green), (red - green) / safe + 4, sector)
    hue = (sector / 6 + turn.view(-1, 1, 1).to(x.dtype)) % 1
    shift = torch.tensor([5.0, 3.0, 1.0], device=x.device, dtype=x.dtype).view(3, 1, 1)
    k = (hue[:, None] * 6 + shift) % 6
    return value[:, None] - chroma[:, None] * torch.minimum(k, 4 - k).clamp(0, 1)


# -- several pictures -----------------------------------------------------------------------------------------------


def mosaic(batch: Pictures, probability: float) -> Pictures:
    """A random cut, as large as a picture, out of a square of four; each picture with this probability."""
    x = batch.x
    b, device = len(x), x.device
    orders = [torch.arange(b, device=device), *(torch.randperm(b, device=device) for _ in range(3))]
    chosen = torch.rand(b, device=device) < probability
    start = torch.rand(b, 2, device=device) * chosen[:, None]  # left and top in the square, in sides of a picture
    h, w = x.shape[-2:]
    rows = (start[:, 1] * h).round().long()[:, None] + torch.arange(h, device=device)  # (B, H)
    columns = (start[:, 0] * w).round().long()[:, None] + torch.arange(w, device=device)  # (B, W)
    source = torch.stack(orders, 1)  # (B, 4): top left, top right, bottom left, bottom right
    place = (rows >= h).long()[:, :, None] * 2 + (columns >= w).long()[:, None]  # (B, H, W)
    which = source.gather(1, place.flatten(1)).view_as(place)
    rows, columns = (rows % h)[:, :, None], (columns % w)[:, None]
    moved = replace(batch, x=x.permute(0, 2, 3, 1)[which, rows, columns].permute(0, 3, 1, 2).contiguous())
    if batch.masks is not None:
        moved.masks = batch.masks[which, rows, columns]
    if batch.boxes is not None:
        assert batch.ignored is not None and batch.labels is not None
        exact = torch.stack([(start[:, 0] * w).round() / w, (start[:, 1] * h).round() / h], 1)
        parts = []
        for k, order in enumerate(orders):
            offset = (torch.tensor([k % 2, k // 2], device=device) - exact).repeat(1, 2)[:, None]
            parts.append(batch.boxes[order] + offset.to(batch.boxes.dtype))
        moved.ignored = torch.cat([batch.ignored[order] for order in orders], 1)
        moved.labels = torch.cat([batch.labels[order] for order in orders], 1)
        moved = with_boxes(moved, torch.cat(parts, 1))
    return moved


def mixup(batch: Pictures, alpha: float, num_classes: int) -> Pictures:
    """Each picture and another one of the batch, each with its own weight from Beta(alpha, alpha)."""
    x, b = batch.x, len(batch.x)
    order = torch.randperm(b, device=x.device)
    drawn = torch.distributions.Beta(torch.tensor(alpha), torch.tensor(alpha)).sample((b,)).to(x)
    weight = torch.maximum(drawn, 1 - drawn)  # its own picture is the stronger one
    scaled = weight.view(-1, 1, 1, 1)
    mixed = replace(batch, x=scaled * x + (1 - scaled) * x[order])
    if batch.classes is not None:
        y = batch.classes
        y = F.one_hot(y, num_classes).to(x.dtype) if y.ndim == 1 else y
        mixed.classes = weight[:, None] * y + (1 - weight[:, None]) * y[order]
    if batch.boxes is not None and batch.ignored is not None and batch.labels is not None:
        mixed.boxes = torch.cat([batch.boxes, batch.boxes[order]], 1)
        faint = batch.ignored[order] | (weight < 0.8)[:, None].logical_not()  # a picture that is hardly seen
        mixed.ignored = torch.cat([batch.ignored, faint], 1)
        mixed.labels = torch.cat([batch.labels, batch.labels[order]], 1)
    return mixed
