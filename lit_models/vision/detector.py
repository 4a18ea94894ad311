"""Detection: the steps that detectors share, judged by average precision.

Batch: ``(x, boxes, ignored, labels)``, x (B, C, S, S) in [0, 1]; boxes (B, M, 4) as (left, top, right, bottom) in
fractions of the picture; labels (B, M), -1 where a picture has fewer than M objects; ignored (B, M) marks objects that
neither teach nor count: VOC's ``difficult``, COCO's crowds.

The book shows the error of an anchor's class, which is tiny whatever the network does, since nearly all anchors are
background. Here it is COCO's average precision, by torchmetrics and pycocotools.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric
from torchmetrics.detection import MeanAveragePrecision

from lit_models.tasks.processes import gather_rows, rank_and_world
from lit_models.tasks.task import Task

#: How the exported answer of a network with anchors becomes boxes.
DECODING = (
    "softmax over dimension 2 gives the background and the classes (class_names); offsets (B, A, 4) from the anchors, "
    "which are in constants.anchors (A, 4): left, top, right, bottom in fractions of the picture. Center = the "
    "anchor's center + 0.1 * offsets[:2] * its size (width, height); size = exp(0.2 * offsets[2:]) * its size."
)
Detections = tuple[Tensor, Tensor, Tensor]  # boxes (B, D, 4), scores (B, D), labels (B, D), -1 where there are fewer


class Detector(Task):
    """Trains ``self.net`` by the loss of a subclass.

    Logs ``train/loss``, ``val/loss``, ``val/map50``, ``test/map`` (mean over overlaps from 0.5 to 0.95), ``test/map50``
    (at an overlap of 0.5) and the latter for each class, ``test/map50_0`` and so on. All are COCO's average precision,
    not VOC's: see ``for_metric``.

    Args:
        num_classes: Number of classes, without the background.
        image_size: Height and width S of the image in pixels.
        **task: See ``Task``.
    """

    #: The metrics that are logged in validation.
    validated: tuple[str, ...] = ("map50",)

    def __init__(self, num_classes: int, image_size: int, **task: Any) -> None:
        super().__init__(**task)
        self.num_classes, self.image_size = num_classes, image_size
        self.val_loss = MeanMetric()
        self.judged: list[tuple[int, Any, Any]] = []  # row of the split, what was found, the truth

    # -- for the subclass -------------------------------------------------------------------------------------------

    def loss_and_count(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Any]:
        """The mean loss of a batch, of how many items it is the mean, and what ``detect`` takes of the network."""
        raise NotImplementedError

    def detect(self, output: Any) -> Detections:
        """Detections from what the network returned."""
        raise NotImplementedError

    def constants(self) -> dict[str, Tensor]:
        """What else than the network's output a program needs to have boxes: written into ``export.json``."""
        return {}

    # -- steps ------------------------------------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss, count, _ = self.loss_and_count(batch)
        self.record_train_loss(loss, count)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        loss, count, output = self.loss_and_count(batch)
        self.val_loss.update(loss, count)
        return self._judge(output, batch)

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        return self._judge(self(batch[0]), batch)

    def on_validation_epoch_start(self) -> None:
        self.judged = []

    on_test_epoch_start = on_validation_epoch_start

    def _judge(self, output: Any, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        boxes, scores, labels = self.detect(output)
        rank, world = rank_and_world(self)
        for row in zip(*for_metric((boxes, scores, labels), batch[1:], self.image_size), strict=True):
            self.judged.append((rank + world * len(self.judged), *row))  # the loader distributes the rows in turn
        return {"boxes": boxes, "scores": scores, "labels": labels}

    def on_validation_epoch_end(self) -> None:
        found = self.measure(self._rows(), "val")
        self.log("val/loss", self.val_loss)
        for name in self.validated:
            self.log(f"val/{name}", found[name].to(self.device), prog_bar=True, sync_dist=True)  # equal on all ranks

    def on_test_epoch_end(self) -> None:
        found = self.measure(self._rows(), "test")
        self.log_dict({f"test/{name}": value.to(self.device) for name, value in found.items()}, sync_dist=True)

    def _rows(self) -> list[tuple[int, Any, Any]]:
        """``judged`` of all processes. torchmetrics would gather lists of different lengths, and wait forever."""
        rows, self.judged = sorted(gather_rows(self, self.judged), key=lambda row: row[0]), []
        return rows

    def measure(self, rows: list[tuple[int, Any, Any]], stage: str) -> dict[str, Tensor]:
        """The metrics of a split, ``val`` or ``test``, from its rows: number, what was found, the truth."""
        metric = average_precision()
        metric.update([found for _, found, _ in rows], [truth for _, _, truth in rows])
        return precisions(metric, self.num_classes)

    def predict_step(self, batch: Any, batch_idx: int) -> list[dict[str, Tensor]]:
        """A picture's ``boxes`` (n, 4), ``scores`` (n,) and ``labels`` (n,), for each picture of a batch ``x`` or
        ``(x, ...)``.
        """
        boxes, scores, labels = self.detect(self(batch if isinstance(batch, Tensor) else batch[0]))
        return [
            {"boxes": b[k], "scores": s[k], "labels": c[k]}
            for b, s, c, k in zip(boxes, scores, labels, labels >= 0, strict=True)
        ]


def average_precision() -> MeanAveragePrecision:
    metric = MeanAveragePrecision(backend="pycocotools", extended_summary=True, sync_on_compute=False)
    metric.warn_on_many_detections = False
    return metric


def for_metric(found: Detections, truth: tuple[Tensor, ...], image_size: int) -> tuple[list[Any], list[Any]]:
    """Detections and objects of each picture as torchmetrics takes them: in pixels, without padding, on the CPU.

    Ignored objects are COCO's crowds: any number of detections that lie in one by the overlap in question, at 0.5 by
    half of their area or more, do not count. VOC leaves out only those whose IoU with a difficult object is at least
    0.5.
    """
    boxes, scores, labels = (part.detach().float().cpu() for part in found)
    real, ignored, classes = (part.cpu() for part in truth)
    predictions = [
        {"boxes": b[k] * image_size, "scores": s[k], "labels": c[k].long()}
        for b, s, c, k in zip(boxes, scores, labels, labels >= 0, strict=True)
    ]
    objects = [
        {"boxes": b[k].float() * image_size, "iscrowd": i[k].long(), "labels": c[k]}
        for b, i, c, k in zip(real, ignored, classes, classes >= 0, strict=True)
    ]
    return predictions, objects


def precisions(metric: MeanAveragePrecision, num_classes: int) -> dict[str, Tensor]:
    """``map``, ``map50`` and ``map50_k`` of each class k. A class without objects is not counted; -1 if there are none.

    COCO's precision is a table (overlap, recall, class, size of objects, most detections); the first overlap is 0.5.
    """
    found: Any = metric.compute()
    table, classes = found["precision"][:, :, :, 0, -1], found["classes"].reshape(-1).tolist()  # (T, R, K)
    single = {int(c): table[0, :, k].mean() for k, c in enumerate(classes) if bool((table[0, :, k] > -1).all())}
    by_class = {f"map50_{k}": single.get(k, torch.tensor(-1.0)) for k in range(num_classes)}
    return {"map": found["map"], "map50": found["map_50"], **{k: v.float() for k, v in by_class.items()}}
