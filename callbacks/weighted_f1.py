"""``val/f1`` and ``test/f1`` of a classifier: the F1 of each class, weighted by how frequent it is.

As scikit-learn's ``average="weighted"``, with which AfriSenti is scored. Accuracy hides that a rare class is never
found.
"""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torchmetrics.classification import MulticlassF1Score

from common.data_protocol import data_attribute


class WeightedF1(Callback):
    """Collects ``outputs["logits"]`` (B, C) of the batches ``(x, y)`` of a classifier, y (B,) classes."""

    def __init__(self) -> None:
        self.metric: MulticlassF1Score | None = None

    def _start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        classes = int(data_attribute(trainer, "num_classes", 0))
        self.metric = MulticlassF1Score(classes, average="weighted").to(pl_module.device) if classes else None

    def _update(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *place: Any) -> None:
        if self.metric is not None:
            self.metric.update(outputs["logits"], batch[-1])

    def _end(self, stage: str, pl_module: LightningModule) -> None:
        if self.metric is not None:
            pl_module.log(f"{stage}/f1", self.metric.compute(), sync_dist=False)
            self.metric.reset()

    on_validation_epoch_start = on_test_epoch_start = _start
    on_validation_batch_end = on_test_batch_end = _update

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._end("val", pl_module)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._end("test", pl_module)
