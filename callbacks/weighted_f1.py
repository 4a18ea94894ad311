"""``val/f1`` and ``test/f1`` of a classifier: the F1 of each class, weighted by how frequent it is.

As scikit-learn's ``average="weighted"``, with which AfriSenti is scored. Accuracy hides that a rare class is never
found.
"""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torchmetrics.classification import MulticlassF1Score


class WeightedF1(Callback):
    """Collects ``outputs["logits"]`` (B, C) of the batches ``(x, y)`` of a classifier, y (B,) classes."""

    def __init__(self) -> None:
        self.metric: MulticlassF1Score | None = None

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self.metric is None:
            classes = outputs["logits"].shape[1]
            self.metric = MulticlassF1Score(classes, average="weighted").to(outputs["logits"].device)
        self.metric.update(outputs["logits"], batch[-1])

    def _end(self, stage: str, pl_module: LightningModule) -> None:
        metric, self.metric = self.metric, None
        if metric is not None:  # every process has a batch: a smaller split is refused
            pl_module.log(f"{stage}/f1", metric.compute(), sync_dist=False)

    on_validation_batch_end = on_test_batch_end

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._end("val", pl_module)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._end("test", pl_module)
