"""Click prediction. Batch: ``(x, y)``, x (B, F) values of fields as rows of one table, y (B,) 0 or 1."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric
from torchmetrics.classification import BinaryAUROC

from lit_models.layers.precision import at_least_float32
from lit_models.tasks.task import Task


class Clicks(Task):
    """Trains ``self.net``, which maps x to logits (B,), by binary cross-entropy in nats: the log loss.

    Accuracy says little where one in five clicks; what counts is the order (``test/auc``) and the probabilities
    (``test/loss``). Logs ``train/loss``, ``val/loss``, ``val/auc``, ``test/loss`` and ``test/auc``.

    Args:
        num_fields: F.
        **task: See ``Task``.
    """

    output_means = "Logits: their sigmoid is the probability of a click."

    def __init__(self, num_fields: int, **task: Any) -> None:
        super().__init__(**task)
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.val_auc, self.test_auc = BinaryAUROC(), BinaryAUROC()
        self.example_input = torch.zeros(1, num_fields, dtype=torch.long)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = at_least_float32(self(x))
        loss = F.binary_cross_entropy_with_logits(logits, y.to(logits))
        self.record_train_loss(loss, len(x))
        return loss

    def _evaluate(self, batch: tuple[Tensor, Tensor], loss: MeanMetric, auc: BinaryAUROC) -> None:
        x, y = batch
        logits = self(x).float()
        loss.update(F.binary_cross_entropy_with_logits(logits, y.float()), len(x))
        auc.update(
            torch.sigmoid(logits), y.long()
        )  # torchmetrics takes a batch of logits from 0 to 1 for probabilities

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, self.val_loss, self.val_auc)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._evaluate(batch, self.test_loss, self.test_auc)

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)
        self.log("val/auc", self.val_auc, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        self.log("test/auc", self.test_auc)

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``probability`` (B,) of a click."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        return {"probability": torch.sigmoid(self(x).float())}
