"""Faster R-CNN: one network proposes regions, and a second looks at each of them, on the same maps.

Ren et al. 2015, "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks"; Lin et al. 2017,
"Feature Pyramid Networks for Object Detection"; torchvision's ``fasterrcnn_resnet50_fpn``. D2L 14.8.
Departs from the paper: both stages are trained at once instead of in turn, RoIAlign instead of RoIPool, a ResNet, whose
maps become a pyramid unless ``fpn`` is false. Departs from torchvision: the losses are means over each picture's
sampled regions and then over the pictures, which is the same wherever every picture has enough regions to sample; and
the 400 best boxes of all classes of a picture go into suppression, there all of them.

    dive fit vision/faster_rcnn           shapes and digits on photographs, offline
    dive fit vision/faster_rcnn --data VOCFolder --data.root DIR \
        --model.weights fasterrcnn_resnet50_fpn_coco.pth

The numbers it reaches are in RESULTS.md.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.cnn.resnet import ResNet, Stem
from lit_models.layers.precision import at_least_float32
from lit_models.layers.pretrained import normalize
from lit_models.tasks.trains import trains
from lit_models.vision.detector import Detections, Detector
from lit_models.vision.roi_heads import RoIHeads, region_detections, region_losses, region_targets
from lit_models.vision.rpn import RPN, anchor_targets, draw, proposals, rpn_losses, sample

STRIDE = 32  # pictures are padded to a multiple of it, so that every map has whole cells


class Pyramid(nn.Module):
    """FPN: maps of several stages become maps of equal channels, each with what the coarser ones know.

    (B, C_k, H_k, W_k) of L stages -> (B, channels, H_k, W_k), and one more of half the last one's size.

    Args:
        in_channels: C_k of each stage.
        channels: Of all maps that come out.
    """

    def __init__(self, in_channels: Sequence[int], channels: int) -> None:
        super().__init__()
        self.inner_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(c, channels, 1)) for c in in_channels)
        self.layer_blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1)) for _ in in_channels
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight, a=1)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        found: list[Tensor] = []
        below: Tensor | None = None
        for part, inner, layer in zip(maps[::-1], self.inner_blocks[::-1], self.layer_blocks[::-1], strict=True):
            lateral = inner(part)
            below = lateral if below is None else lateral + F.interpolate(below, size=lateral.shape[-2:])
            found.insert(0, layer(below))
        return [*found, F.max_pool2d(found[-1], 1, stride=2)]


class Backbone(nn.Module):
    """A ResNet's maps after some stages, as a pyramid or as they are: (B, C, S, S) -> one map of each level.

    Args:
        in_channels, depth, width, stem, stages, fpn, channels: As of ``FasterRCNN``.
    """

    def __init__(
        self, in_channels: int, depth: int, width: int, stem: Stem, stages: Sequence[int], fpn: bool, channels: int
    ) -> None:
        super().__init__()
        body: Any = ResNet(in_channels, 1, depth, width, stem)
        last: Any = body.layer4[-1]
        expansion = last.expansion
        body.fc = nn.Identity()
        for k in range(max(stages) + 1, 5):  # what no one looks at
            setattr(body, f"layer{k}", nn.Identity())
        self.body, self.stages = body, tuple(stages)
        widths = [expansion * width << (k - 1) for k in stages]
        self.fpn = Pyramid(widths, channels) if fpn else nn.Identity()
        self.channels = channels if fpn else widths[0]

    def forward(self, x: Tensor) -> list[Tensor]:
        net = self.body
        x = net.maxpool(F.relu(net.bn1(net.conv1(x)), inplace=True))
        maps = []
        for k in range(1, max(self.stages) + 1):
            x = net.get_submodule(f"layer{k}")(x)
            if k in self.stages:
                maps.append(x)
        return self.fpn(maps)


class FasterRCNN(nn.Module):
    """Two stages on the maps of a ResNet. (B, C, S, S) -> logits (B, P, 1 + K) and offsets (B, P, 1 + K, 4) of P
    proposals, the proposals (B, P, 4) in pixels, and which of them there are (B, P).

    Class 0 is the background. Parameters have torchvision's names.

    Args:
        in_channels: Channels C of the image.
        num_classes: Number K of classes, without the background.
        depth, width, stem: Of the ResNet.
        frozen_norm: Batch normalization stays as it was loaded: torchvision's weights were trained in this way, with an
            epsilon of 0.
        fpn: Whether maps become a pyramid. Without it there is one stage in ``stages``.
        stages: Those of the ResNet, of 1 to 4, whose maps are used.
        channels: Of the pyramid.
        anchor_sizes: Square roots of the areas of the anchors in pixels: of each stage, and with a pyramid of one
            more level.
        anchor_ratios: Heights of the anchors divided by their widths.
        hidden_size: Units of the second stage's dense layers.
        region_size: Parts along each side of a region.
        pooling: How the second stage reads a region: ``align`` between the cells, ``pool`` rounded to whole ones.
        regions: Where they come from: ``rpn``, or at ``random``, to see what proposing is worth.
        before: How many proposals of each level are compared in training, and in evaluation.
        after: How many of them are kept in training, and in evaluation.
        samples: How many anchors, and how many regions, of each picture teach.
        positives: The largest fraction of objects among these anchors, and among these regions.
        draws: Which ones: ``random``, or always the same (``fixed``), as in validation.
        mask_channels, mask_size: Of the mask head, as of ``RoIHeads``; for ``MaskRCNN``, which has one.
    """

    has_masks = False
    HEADS: ClassVar[tuple[str, ...]] = ("roi_heads.box_predictor",)
    #: The sizes of torchvision's weights.
    PUBLISHED: ClassVar[dict[str, Any]] = {
        **{"depth": 50, "width": 64, "stem": "imagenet", "frozen_norm": True},
        **{"fpn": True, "stages": [1, 2, 3, 4], "channels": 256, "hidden_size": 1024, "region_size": 7},
        **{"anchor_sizes": [[32], [64], [128], [256], [512]], "anchor_ratios": [0.5, 1.0, 2.0]},
    }
    gathered_at_once = True
    forward_methods: ClassVar[tuple[str, ...]] = ("losses",)

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 90,
        depth: int = 50,
        width: int = 64,
        stem: Stem = "imagenet",
        frozen_norm: bool = False,
        fpn: bool = True,
        stages: Sequence[int] = (1, 2, 3, 4),
        channels: int = 256,
        anchor_sizes: Sequence[Sequence[float]] = ((32,), (64,), (128,), (256,), (512,)),
        anchor_ratios: Sequence[float] = (0.5, 1.0, 2.0),
        hidden_size: int = 1024,
        region_size: int = 7,
        pooling: Literal["align", "pool"] = "align",
        regions: Literal["rpn", "random"] = "rpn",
        before: Sequence[int] = (2000, 1000),
        after: Sequence[int] = (2000, 1000),
        samples: Sequence[int] = (256, 512),
        positives: Sequence[float] = (0.5, 0.25),
        draws: Literal["random", "fixed"] = "random",
        mask_channels: int = 0,
        mask_size: int = 14,
    ) -> None:
        super().__init__()
        if bool(mask_channels) != self.has_masks:
            raise UserError(
                f"model.mask_channels is {mask_channels}: vision/mask_rcnn has masks, vision/faster_rcnn none"
            )
        if len(stages) != 1 and not fpn:
            raise UserError(f"model.stages has {len(stages)} stages: without model.fpn give one, such as [3]")
        if len(anchor_sizes) != len(stages) + fpn:
            raise UserError(
                f"model.anchor_sizes has {len(anchor_sizes)} lists: give {len(stages) + fpn}, one per level"
            )
        self.backbone = Backbone(in_channels, depth, width, stem, stages, fpn, channels)
        self.rpn = RPN(self.backbone.channels, anchor_sizes, anchor_ratios)
        sizes = num_classes, hidden_size, region_size
        self.roi_heads = RoIHeads(self.backbone.channels, *sizes, pooling, mask_channels, mask_size)
        self.before, self.after, self.samples = tuple(before), tuple(after), tuple(samples)
        self.positives = tuple(positives)
        self.regions, self.draws, self.frozen_norm = regions, draws, frozen_norm
        self.read = len(stages)  # the second stage does not read the pyramid's last level
        for layer in self.normalizations() if frozen_norm else []:
            layer.eps = 0.0
            layer.requires_grad_(False).eval()  # Lightning keeps each layer's mode: it does not call ``train``

    def normalizations(self) -> list[nn.BatchNorm2d]:
        return [layer for layer in self.modules() if isinstance(layer, nn.BatchNorm2d)]

    def train(self, mode: bool = True) -> "FasterRCNN":
        """Training or evaluation mode; frozen normalizations stay in evaluation mode."""
        super().train(mode)
        for layer in self.normalizations() if self.frozen_norm else []:
            layer.eval()
        return self

    def rename(self, key: str) -> str:
        """torchvision's older files have names without the number of a layer in its block."""
        key = re.sub(r"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$", r"\1.0.\2", key)
        return re.sub(r"^rpn\.head\.conv\.(weight|bias)$", r"rpn.head.conv.0.0.\1", key)

    def first_stage(self, x: Tensor) -> tuple[list[Tensor], int, tuple[Tensor, ...], tuple[Tensor, Tensor]]:
        """The maps, the side with its padding, the RPN's logits, offsets, anchors and levels, and its proposals."""
        side = x.shape[-1]
        more = -side % STRIDE
        maps = self.backbone(F.pad(x, (0, more, 0, more)))
        logits, offsets = (at_least_float32(part) for part in self.rpn(maps))
        anchors, levels = self.rpn.anchors([part.to(logits.dtype) for part in maps], side + more)
        before, after = (counts[not self.training] for counts in (self.before, self.after))
        found = proposals(logits, offsets, anchors, levels, side, before, after)
        if self.regions == "random":
            corners = torch.rand(2, *found[0].shape[:2], 2, device=x.device, dtype=logits.dtype) * side
            found = torch.cat([corners.amin(0), corners.amax(0)], 2), torch.ones_like(found[1])
        return maps, side + more, (logits, offsets, anchors, levels), found

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        maps, side, _, (boxes, there) = self.first_stage(x)
        return *self.roi_heads(maps[: self.read], boxes, side), boxes, there

    def losses(self, x: Tensor, boxes: Tensor, ignored: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        """The four losses of a batch, each the mean of its pictures': objectness, the anchors' boxes, classes, boxes.

        Args:
            x: (B, C, S, S).
            boxes, ignored, labels: Of a batch (``Detector``), boxes in pixels.
        """
        return self.both_stages(x, boxes, ignored, labels)[0]

    def both_stages(
        self, x: Tensor, boxes: Tensor, ignored: Tensor, labels: Tensor
    ) -> tuple[tuple[Tensor, ...], list[Tensor], int, Tensor, Tensor]:
        """The losses, the maps, the side with its padding, the sampled regions (B, R, 4) and their classes (B, R).

        Args:
            x, boxes, ignored, labels: As of ``losses``.
        """
        maps, side, (logits, offsets, anchors, _), (regions, there) = self.first_stage(x)
        how: Any = self.draws if self.training else "fixed"
        boxes = boxes.to(logits.dtype)
        classes, wanted = anchor_targets(anchors, boxes, ignored, labels)
        taught = sample(classes, self.samples[0], self.positives[0], draw(anchors.expand_as(offsets), how))
        first = rpn_losses(logits, offsets, anchors.expand_as(offsets), classes, wanted, taught)
        regions, there = torch.cat([regions, boxes], 1), torch.cat([there, (labels >= 0) & ~ignored], 1)
        classes, wanted = region_targets(regions, there, boxes, ignored, labels)
        taught = sample(classes, self.samples[1], self.positives[1], draw(regions, how))
        order = taught.to(torch.uint8).sort(dim=1, descending=True, stable=True).indices[:, : self.samples[1]]
        classes = classes.masked_fill(~taught, -1).gather(1, order)
        regions, wanted = (part.gather(1, order[..., None].expand(-1, -1, 4)) for part in (regions, wanted))
        found = self.roi_heads(maps[: self.read], regions, side)
        logits, offsets = (at_least_float32(part) for part in found)
        second = region_losses(logits, offsets, regions, classes, wanted)
        return tuple(part.mean() for part in (*first, *second)), maps[: self.read], side, regions, classes


class RegionDetector(Detector):
    """A detector of two stages, both trained at once, by the sum of their losses.

    Args:
        min_score: Detections with a lower probability are left out. Average precision needs the improbable ones too.
        max_overlap: Of two detections of a class that overlap by more than this, the better one is kept.
        **task: See ``Detector``.
    """

    output_means = (
        "Logits (B, P, 1 + K) and offsets (B, P, 1 + K, 4) of P proposals (B, P, 4) in pixels, and which there are: "
        "softmax over dimension 2 gives the background and the classes (class_names)."
    )

    def __init__(self, min_score: float = 0.01, max_overlap: float = 0.5, **task: Any) -> None:
        super().__init__(**task)
        self.min_score, self.max_overlap = min_score, max_overlap

    def normalized(self, x: Tensor) -> Tensor:
        return normalize(x) if self.weights_from == "published" else x

    def forward(self, *inputs: Tensor) -> Any:
        return self.net(*(self.normalized(x) for x in inputs))

    def loss_and_count(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Any]:
        """The sum of the losses, per picture."""
        x, boxes, *rest = batch
        net: Any = self.net
        losses = net.losses(self.normalized(x), boxes * x.shape[-1], *rest)
        count = torch.tensor(len(x), device=x.device)
        return torch.stack(losses).sum(), count, None if self.training else self(x)

    def detect(self, output: Any) -> Detections:
        """Detections in fractions of the picture."""
        logits, offsets, regions, there = (part.float() if part.is_floating_point() else part for part in output[:4])
        side = self.image_size
        found = region_detections(logits, offsets, regions, there, side, self.min_score, self.max_overlap)
        return found[0] / side, *found[1:]


@trains(FasterRCNN)
class LitFasterRCNN(RegionDetector):
    """Faster R-CNN trained as a detector."""
