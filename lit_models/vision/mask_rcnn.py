"""Mask R-CNN: Faster R-CNN with a third head, which pixels of each box belong to the object.

He et al. 2017, "Mask R-CNN"; torchvision's ``maskrcnn_resnet50_fpn``. D2L 14.8 and 14.9.
Departs from the paper and torchvision: the loss of the masks is the mean over a picture's regions of objects, and then
over the pictures (``lit_models/vision/faster_rcnn.py``); masks are put into boxes that are not rounded to pixels.

Batch: that of ``Detector`` and instances (B, S, S): a pixel is k + 1 where it shows object k of its picture, else 0.

    dive fit vision/mask_rcnn           shapes and digits on photographs, with exact masks, offline
    dive predict vision/mask_rcnn       predictions.csv, masks/, marked/
    dive predict vision/mask_rcnn --model.weights maskrcnn_resnet50_fpn_coco.pth \
        --data ImageFolder --data.root photos/ --data.image_size 512

The numbers it reaches are in RESULTS.md.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from common.messages import UserError
from lit_models.functional.boxes import iou
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.trains import trains
from lit_models.vision.detector import precisions
from lit_models.vision.faster_rcnn import STRIDE, FasterRCNN, RegionDetector
from lit_models.vision.mask_head import mask_loss, mask_targets, pasted


class MaskRCNN(FasterRCNN):
    """``FasterRCNN`` with a mask head. It returns also the maps that regions are read from, for ``masks``.

    Args:
        in_channels, num_classes, depth, width, stem, frozen_norm, fpn, stages, channels, anchor_sizes, anchor_ratios:
            As of ``FasterRCNN``.
        hidden_size, region_size, pooling, regions, before, after, samples, positives, draws: As of ``FasterRCNN``.
        mask_channels: Channels of the mask head's convolutions; the paper's is 256.
        mask_size: Parts along each side of a region that the mask head reads; the paper's is 14. Masks have twice as
            many.
    """

    has_masks = True
    HEADS = (*FasterRCNN.HEADS, "roi_heads.mask_predictor.mask_fcn_logits")  # type: ignore[assignment]
    PUBLISHED = {**FasterRCNN.PUBLISHED, "mask_channels": 256, "mask_size": 14}
    forward_methods = ("losses", "masks")  # type: ignore[assignment]

    def rename(self, key: str) -> str:
        """torchvision's older files also have one name for each convolution of the mask head."""
        older = re.match(r"roi_heads\.mask_head\.mask_fcn(\d)\.(weight|bias)$", key)
        return f"roi_heads.mask_head.{int(older[1]) - 1}.0.{older[2]}" if older else super().rename(key)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        maps, side, _, (boxes, there) = self.first_stage(x)
        maps = maps[: self.read]
        return *self.roi_heads(maps, boxes, side), boxes, there, *maps

    def losses(  # type: ignore[override]
        self, x: Tensor, boxes: Tensor, ignored: Tensor, labels: Tensor, instances: Tensor
    ) -> tuple[Tensor, ...]:
        """Those of ``FasterRCNN`` and that of the masks.

        Args:
            x, boxes, ignored, labels: As there.
            instances: (B, S, S), see above.
        """
        losses, maps, side, regions, classes = self.both_stages(x, boxes, ignored, labels)
        valid = (labels >= 0) & ~ignored
        taught = classes > 0  # (B, R)
        found = iou(regions, boxes.to(regions.dtype)).masked_fill(~valid[:, None], -1.0).argmax(2)
        batch, which = taught.nonzero().unbind(1)
        regions, number = regions[batch, which], found[batch, which]
        logits = at_least_float32(self.roi_heads.masks(maps, regions, batch, side))
        shown = instances[batch] == number[:, None, None] + 1
        targets = mask_targets(shown, regions.to(logits.dtype), logits.shape[-1])
        each = mask_loss(logits, targets, classes[batch, which] - 1)
        of_pictures = each.new_zeros(len(x)).index_add(0, batch, each) / taught.sum(1).clamp(min=1)
        return *losses, of_pictures.mean()

    def masks(self, maps: Sequence[Tensor], boxes: Tensor, labels: Tensor, side: int) -> Tensor:
        """The probabilities (B, D, M, M) that the cells of detections belong to their objects, 0 behind the last one.

        Args:
            maps: Of ``forward``.
            boxes: (B, D, 4) in pixels.
            labels: (B, D), -1 behind the last one.
            side: Of the picture.
        """
        batch, which = (labels >= 0).nonzero().unbind(1)
        logits = self.roi_heads.masks(maps, boxes[batch, which], batch, side + -side % STRIDE)
        own = at_least_float32(logits)[torch.arange(len(batch), device=batch.device), labels[batch, which]]
        found = own.new_zeros(*labels.shape, *own.shape[1:])
        found[batch, which] = own.sigmoid()
        return found


@trains(MaskRCNN)
class LitMaskRCNN(RegionDetector):
    """Mask R-CNN trained as a detector, judged by its boxes and its masks.

    Logs beside the metrics of ``Detector``: ``test/mask_map``, ``test/mask_map50`` and the latter for each class
    (``test/mask_map50_0`` ...), where overlap is that of masks.

    Args:
        masks: Where they come from: the mask ``head``, or the whole ``box``, to see what the head is worth.
        **task: See ``RegionDetector``.
    """

    def __init__(self, masks: Literal["head", "box"] = "head", **task: Any) -> None:
        super().__init__(**task)
        self.masks = masks

    def loss_and_count(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Any]:
        if len(batch) != 5:
            raise UserError("vision/mask_rcnn: this data has boxes without masks: train vision/faster_rcnn on it")
        return super().loss_and_count(batch)

    def found_masks(self, output: Any, boxes: Tensor, labels: Tensor) -> Tensor:
        """The masks (B, D, M, M) of detections, boxes (B, D, 4) in fractions; probabilities."""
        net: Any = self.net
        found: Tensor = net.masks(output[4:], boxes * self.image_size, labels, self.image_size)
        return found if self.masks == "head" else torch.ones_like(found)

    def _judge(self, output: Any, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        found = super()._judge(output, batch[:4])
        side, (_, _, _, truth, instances) = self.image_size, batch
        masks = self.found_masks(output, found["boxes"], found["labels"]).float().cpu()
        found["instances"] = torch.zeros(instances.shape, dtype=torch.long)
        boxes, labels, truth, instances = (part.cpu() for part in (found["boxes"], found["labels"], truth, instances))
        for k, (_, seen, real) in enumerate(self.judged[-len(labels) :]):
            whole = pasted(masks[k][labels[k] >= 0], boxes[k][labels[k] >= 0].float() * side, side, side)
            for number in reversed(range(len(whole))):  # the best one lies on top
                found["instances"][k][whole[number]] = number + 1
            shown = torch.arange(1, truth.shape[1] + 1)[truth[k] >= 0]
            seen["masks"], real["masks"] = encoded(whole), encoded(instances[k] == shown[:, None, None])
        return found

    def measure(self, rows: list[tuple[int, Any, Any]], stage: str) -> dict[str, Tensor]:
        """Average precision of boxes and, in a test, of masks."""
        found = super().measure(rows, stage)
        if stage != "test":
            return found
        metric = MeanAveragePrecision("xyxy", "segm", extended_summary=True, sync_on_compute=False)
        metric.warn_on_many_detections = False
        for _, seen, real in rows:
            both: Any = [[{**row, "masks": decoded(row["masks"], self.image_size)}] for row in (seen, real)]
            metric.update(*both)
        of_masks = precisions(metric, self.num_classes)
        return found | {f"mask_{name}": value for name, value in of_masks.items()}

    def predict_step(self, batch: Any, batch_idx: int) -> list[dict[str, Tensor]]:
        """As ``Detector``, and the ``masks`` (n, M, M) in the boxes, probabilities."""
        output = self(batch if isinstance(batch, Tensor) else batch[0])
        boxes, scores, labels = self.detect(output)
        rows = zip(boxes, scores, labels, self.found_masks(output, boxes, labels), labels >= 0, strict=True)
        return [{"boxes": b[k], "scores": s[k], "labels": c[k], "masks": m[k]} for b, s, c, m, k in rows]


def encoded(masks: Tensor) -> list[Any]:
    """Masks (n, H, W) in COCO's run lengths: those of a test fit into memory."""
    from pycocotools.mask import encode

    found: list[Any] = encode(np.asfortranarray(masks.permute(1, 2, 0).numpy().astype(np.uint8)))
    return found


def decoded(runs: list[Any], side: int) -> Tensor:
    """The masks (n, side, side) that ``encoded`` got."""
    from pycocotools.mask import decode

    if not runs:
        return torch.zeros(0, side, side, dtype=torch.bool)
    return torch.from_numpy(decode(runs)).permute(2, 0, 1).bool()
