"""``detection_curves.png``: precision and recall of a detector by class, and whether its scores are probabilities."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.ops import box_iou

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute

BINS = 10


class DetectionCurves(TestPicture):
    """Collects which detections of the test batches ``(x, boxes, ignored, labels)`` are right.

    Left: for each class, precision over recall as the threshold falls. Right: of the detections with a score, the
    fraction that is right; scores that are probabilities lie on the diagonal.

    Args:
        min_overlap: A detection is right if it overlaps an object of its class by at least this (IoU) and no better
            detection has taken the object.
    """

    name = "detection_curves"

    def __init__(self, min_overlap: float = 0.5) -> None:
        self.min_overlap = min_overlap

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        _, boxes, ignored, labels = (part.cpu() for part in batch)
        found = [outputs[name].cpu() for name in ("boxes", "scores", "labels")]
        rows = zip(*found, boxes, ignored, labels, strict=True)
        right = [right_ones(b, s, c, true, i, k, self.min_overlap) for b, s, c, true, i, k in rows]
        kinds = torch.where(torch.stack(right) < 0, -1, found[2])  # those on ignored objects do not count
        true = torch.where(ignored, -1, labels)
        return {"scores": found[1], "kinds": kinds + 1, "right": torch.stack(right).clamp(min=0), "true": true + 1}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_curves(found, data_attribute(trainer, "class_names"))


def right_ones(
    boxes: Tensor, scores: Tensor, labels: Tensor, true: Tensor, ignored: Tensor, true_labels: Tensor, least: float
) -> Tensor:
    """1 for each detection (D,) of a picture that is right, 0 for wrong, -1 for one on an ignored object.

    Args:
        boxes, scores, labels: (D, 4), (D,), (D,), the best first.
        true, ignored, true_labels: (M, 4), (M,), (M,), the label -1 where there are fewer.
        least: The least overlap.
    """
    overlaps = box_iou(boxes.float(), true.float()) * (labels[:, None] == true_labels) * (labels[:, None] >= 0)
    found = torch.where((overlaps * ignored >= least).any(1), -1, 0)
    overlaps = overlaps * ~ignored
    for d in range(len(boxes)):  # an object is found once, by the best detection that overlaps it
        best, which = overlaps[d].max(0)
        if best >= least:
            found[d] = 1
            overlaps[:, which] = 0
    return found


def precision_recall(scores: Tensor, right: Tensor, total: int) -> tuple[Tensor, Tensor]:
    """Precision and recall (n,) after each detection (n,), the best first."""
    hits = right[scores.argsort(descending=True)].double().cumsum(0)
    return hits / torch.arange(1, len(hits) + 1), hits / max(total, 1)


def reliability(scores: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Mean score and fraction right of ten groups of detections (n,) of equal width; empty ones are left out."""
    group = (scores * BINS).long().clamp(0, BINS - 1)
    counts, used = group.bincount(minlength=BINS), group.bincount(minlength=BINS) > 0
    means = [group.bincount(values.double(), minlength=BINS)[used] / counts[used] for values in (scores, right)]
    return means[0], means[1]


def draw_curves(rows: Rows, names: list[str] | None) -> Figure:
    """Two axes, a line for each class."""
    figure = new_figure(9, 4)
    left, side = figure.subplots(1, 2)
    side.plot([0, 1], [0, 1], color="0.7")
    for kind in range(1, int(rows["true"].max()) + 1):
        chosen = rows["kinds"] == kind
        scores, right = rows["scores"][chosen], rows["right"][chosen]
        name = names[kind - 1] if names and kind <= len(names) else str(kind - 1)
        precision, recall = precision_recall(scores, right, int((rows["true"] == kind).sum()))
        left.plot(recall.numpy(), precision.numpy(), label=name)
        means, fractions = reliability(scores, right)
        side.plot(means.numpy(), fractions.numpy(), ".-", label=name)
    left.set(xlabel="recall", ylabel="precision", title="precision and recall", xlim=(0, 1.02), ylim=(0, 1.02))
    side.set(xlabel="score", ylabel="fraction that is right", title="calibration of scores", xlim=(0, 1), ylim=(0, 1))
    left.legend(loc="lower left")
    return figure
