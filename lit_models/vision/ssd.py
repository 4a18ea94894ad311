"""TinySSD: one network looks at all places of a picture at once, at five scales, for objects and their boxes.

Liu et al. 2016, "SSD: Single Shot MultiBox Detector". D2L 14.7.
Departs from the book: hard negatives are mined, three for each object's anchor, as in the paper (the book's mean over
all anchors is nearly all background), or the focal loss of Lin et al. 2017 takes their place; the loss of the boxes is
smooth L1, summed over the matched anchors and divided by their number (the book's mean counts masked coordinates);
a picture without objects teaches too; suppression is class by class, of the 200 best boxes of a picture (torchvision:
400 of each class); the number is average precision.

    dive fit vision/ssd             shapes and digits on photographs, offline
    dive fit vision/ssd_bccd        blood cells
    dive fit vision/ssd --data VOCFolder --data.root cells/ --data.image_size 300 --model.weights ssd300_vgg16_coco.pth
    dive predict vision/ssd --data ImageFolder --data.root photos/    boxes as CSV, and marked pictures

The numbers they reach are in RESULTS.md.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError, refuse_negative
from lit_models.functional.boxes import anchor_shapes, assign, detections, encode, grid_anchors, iou
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.trains import trains
from lit_models.vision.detector import DECODING, Detections, Detector
from lit_models.vision.ssd300 import SSD300

BOOK_SIZES = ((0.2, 0.272), (0.37, 0.447), (0.54, 0.619), (0.71, 0.79), (0.88, 0.961))  # D2L 14.7


def half_size(in_channels: int, channels: int, strided: bool = False) -> list[nn.Module]:
    """Two 3 x 3 convolutions with normalization, and pooling; ``strided``: the first convolution has stride 2 instead.
    (B, in_channels, H, W) -> (B, channels, H / 2, W / 2).
    """
    layers: list[nn.Module] = []
    for inputs, stride in ((in_channels, 2 if strided else 1), (channels, 1)):
        layers += [nn.Conv2d(inputs, channels, 3, stride, padding=1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    return layers if strided else [*layers, nn.MaxPool2d(2)]


class TinySSD(nn.Module):
    """A small convolutional network with two heads at each of five scales. (B, C, S, S) -> logits (B, A, 1 + K),
    offsets (B, A, 4).

    Class 0 is the background. Each scale is half as high and wide as the one before, except the last, which is one
    cell.

    Args:
        in_channels: Channels C of the image.
        num_classes: Number K of classes, without the background.
        image_size: Height and width S of the image in pixels.
        widths: Channels of the layers before the first scale, each of which halves the picture: 16, 32, 64 in the book.
        channels: Channels of the layers between the scales.
        sizes: Of the anchors of each scale, in fractions of the picture's side; the book's are the default.
        ratios: Widths of the anchors divided by their heights.
        strided_stem: The first convolution has stride 2, and no pooling follows: 2.5 times as fast.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1,
        image_size: int = 256,
        widths: Sequence[int] = (16, 32, 64),
        channels: int = 128,
        sizes: Sequence[Sequence[float]] = BOOK_SIZES,
        ratios: Sequence[float] = (1.0, 2.0, 0.5),
        strided_stem: bool = False,
    ) -> None:
        super().__init__()
        side = image_size + image_size % 2 if strided_stem else image_size  # a stride rounds up, a pooling down
        sides = [side >> (len(widths) + k) for k in range(len(sizes) - 1)] + [1]
        if min(sides) < 1:
            raise UserError(
                f"data.image_size is {image_size}: {len(sizes)} scales after {len(widths)} poolings need at least "
                f"{1 << (len(widths) + len(sizes) - 2)} pixels"
            )
        self.stages, self.class_heads, self.box_heads = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        anchors: list[Tensor] = []
        inputs = in_channels
        for k, (side, pair) in enumerate(zip(sides, sizes, strict=True)):
            layers: list[nn.Module] = []
            if k == 0:
                for n, width in enumerate(widths):
                    layers += half_size(inputs, width, strided_stem and n == 0)
                    inputs = width
            elif k == len(sizes) - 1:
                layers = [nn.AdaptiveMaxPool2d(1)]
            else:
                layers = half_size(inputs, channels)
                inputs = channels
            shapes = anchor_shapes(pair, ratios)
            self.stages.append(nn.Sequential(*layers))
            self.class_heads.append(nn.Conv2d(inputs, len(shapes) * (1 + num_classes), 3, padding=1))
            self.box_heads.append(nn.Conv2d(inputs, len(shapes) * 4, 3, padding=1))
            anchors.append(grid_anchors(side, side, shapes))
        self.num_classes = num_classes
        self.anchors: Tensor
        self.register_buffer("anchors", torch.cat(anchors), persistent=False)  # (A, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits, offsets = [], []
        for stage, class_head, box_head in zip(self.stages, self.class_heads, self.box_heads, strict=True):
            x = stage(x)
            logits.append(class_head(x).permute(0, 2, 3, 1).flatten(1))  # (B, cells * shapes * (1 + K))
            offsets.append(box_head(x).permute(0, 2, 3, 1).flatten(1))
        return torch.cat(logits, 1).unflatten(1, (-1, 1 + self.num_classes)), torch.cat(offsets, 1).unflatten(
            1, (-1, 4)
        )


def ssd_targets(
    anchors: Tensor, boxes: Tensor, ignored: Tensor, labels: Tensor, threshold: float = 0.5
) -> tuple[Tensor, Tensor]:
    """The class (B, A) that each anchor is to give, 0 for the background, -1 for none; and its offsets (B, A, 4).

    Args:
        anchors: (A, 4).
        boxes, ignored, labels: Of a batch (``Detector``). Anchors on ignored objects get -1.
        threshold: The least overlap of an anchor and its object.
    """
    valid = (labels >= 0) & ~ignored
    overlaps = iou(boxes, anchors).transpose(1, 2)  # (B, A, M)
    found = assign(overlaps, valid, threshold)
    batch, anchor = (found >= 0).nonzero().unbind(1)  # few: only these have offsets
    which = found[batch, anchor]
    classes, crowd = torch.zeros_like(found), ignored & (labels >= 0)
    if bool(crowd.any()):
        classes[((overlaps >= threshold) & crowd[:, None]).any(2)] = -1
    classes[batch, anchor] = labels[batch, which] + 1
    offsets = boxes.new_zeros(*found.shape, 4)
    offsets[batch, anchor] = encode(boxes[batch, which], anchors[anchor])
    return classes, offsets


def losses_by_anchor(logits: Tensor, classes: Tensor) -> Tensor:
    """The cross-entropy (B, A) of logits (B, A, 1 + K) and classes (B, A); for -1 that of the background.

    The classes stand before the anchors: along a last dimension of a few classes softmax takes ten times as long on a
    CPU.
    """
    return F.cross_entropy(logits.transpose(1, 2), classes.clamp(min=0), reduction="none")


def mined_loss(logits: Tensor, classes: Tensor, counts: Tensor, negatives: int = 3) -> Tensor:
    """The sum of the cross-entropy over the objects' anchors and the hardest ``negatives`` times as many of the
    background.

    Args:
        logits: (B, A, 1 + K).
        classes: (B, A) as of ``ssd_targets``.
        counts: The anchors (B,) of objects in each picture, at least 1.
        negatives: How many anchors of the background there are for each of an object.
    """
    loss = losses_by_anchor(logits, classes)
    most = min(loss.shape[1], negatives * int(counts.max()))
    hardest, _ = loss.masked_fill(classes != 0, 0.0).topk(most, 1)  # (B, most), the largest first
    mined = torch.arange(most, device=loss.device) < negatives * counts[:, None]
    return loss[classes > 0].sum() + (hardest * mined).sum()


def focal_loss(logits: Tensor, classes: Tensor, gamma: float = 2.0) -> Tensor:
    """The sum of (1 - p)^gamma times the cross-entropy, p the probability of the right class (Lin et al. 2017)."""
    loss = losses_by_anchor(logits, classes)
    return (loss * (1 - (-loss).exp()).clamp(min=0) ** gamma * (classes >= 0)).sum()


def ssd_loss(
    output: Any,
    anchors: Tensor,
    batch: tuple[Tensor, ...],
    class_loss: str = "mined",
    box_weight: float = 1.0,
    match_threshold: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """The losses of classes and boxes, per matched anchor, and the number of these. A picture without objects counts
    as one anchor.

    Args:
        output: Of ``TinySSD``.
        anchors: (A, 4).
        batch: As ``Detector`` has it.
        class_loss, box_weight, match_threshold: As of ``LitSSD``.
    """
    _, boxes, ignored, labels = batch
    logits, offsets = (at_least_float32(part) for part in output)
    anchors = anchors.to(offsets.dtype)
    classes, targets = ssd_targets(anchors, boxes.to(offsets.dtype), ignored, labels, match_threshold)
    matched = classes > 0
    counts = matched.sum(1).clamp(min=1)  # (B,)
    loss = mined_loss(logits, classes, counts) if class_loss == "mined" else focal_loss(logits, classes)
    distance = F.smooth_l1_loss(offsets[matched], targets[matched], reduction="sum")
    loss = loss + box_weight * distance
    total = counts.sum().to(loss.dtype)  # processes weigh their losses by it: whole numbers would do it in float32
    return loss / total, total


def ssd_network(
    in_channels: int = 3,
    num_classes: int = 1,
    image_size: int = 256,
    variant: Literal["tiny", "ssd300"] = "tiny",
    widths: Sequence[int] = (16, 32, 64),
    channels: int = 128,
    sizes: Sequence[Sequence[float]] = BOOK_SIZES,
    ratios: Sequence[float] = (1.0, 2.0, 0.5),
    strided_stem: bool = False,
) -> TinySSD | SSD300:
    """TinySSD, or the paper's network.

    Args:
        in_channels, num_classes, image_size: As of ``TinySSD``.
        variant: ``tiny`` is the book's; ``ssd300`` the paper's (``lit_models/vision/ssd300.py``), which published
            weights are for and the following arguments are not.
        widths, channels, sizes, ratios, strided_stem: As of ``TinySSD``.
    """
    if variant == "ssd300":
        return SSD300(in_channels, num_classes, image_size)
    return TinySSD(in_channels, num_classes, image_size, widths, channels, sizes, ratios, strided_stem)


ssd_network.PUBLISHED = {"variant": "ssd300"}  # type: ignore[attr-defined]


@trains(ssd_network)
class LitSSD(Detector):
    """TinySSD or SSD300 trained as a detector.

    Args:
        class_loss: ``mined``: the anchors of objects and three times as many of the hardest ones of the background.
            ``focal``: all anchors, each the less the better it is.
        box_weight: Weight of the loss of the boxes.
        match_threshold: The least overlap (IoU) of an anchor and the object that it is to find.
        min_score: Detections with a lower probability are left out. Average precision needs the improbable ones too.
        max_overlap: Of two detections of a class that overlap by more than this, the better one is kept.
        **task: See ``Detector``.
    """

    output_means = f"Logits (B, A, 1 + K) of A anchors: {DECODING}"

    def __init__(
        self,
        class_loss: Literal["mined", "focal"] = "mined",
        box_weight: float = 1.0,
        match_threshold: float = 0.5,
        min_score: float = 0.01,
        max_overlap: float = 0.45,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        refuse_negative(box_weight=box_weight)
        self.class_loss, self.box_weight, self.match_threshold = class_loss, box_weight, match_threshold
        self.min_score, self.max_overlap = min_score, max_overlap

    def anchors(self) -> Tensor:
        """The network's anchors (A, 4)."""
        net: Any = self.net
        return net.anchors

    def constants(self) -> dict[str, Tensor]:
        return {"anchors": self.anchors()}

    def loss_and_count(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Any]:
        """The losses of classes and boxes, per matched anchor. A picture without objects counts as one anchor."""
        output = self(batch[0])
        loss, count = ssd_loss(output, self.anchors(), batch, self.class_loss, self.box_weight, self.match_threshold)
        return loss, count, output

    def detect(self, output: Any) -> Detections:
        logits, offsets = (part.float() for part in output)
        anchors = self.anchors().float()
        scores = logits.softmax(2)[..., 1:]
        return detections(scores, offsets, anchors, self.min_score, self.max_overlap)
