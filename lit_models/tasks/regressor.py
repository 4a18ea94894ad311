"""Regression. Batch: ``(x, y)``, x (B, ...), y (B,) or (B, K) real numbers."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection, R2Score

from lit_models.tasks.task import Task


class Regressor(Task):
    """Trains ``self.net``, which maps x to (B, K), by the mean of half the squared error (D2L 3.1.1.2).

    The half makes the gradient the plain residual: a rate from the book's from-scratch chapters can be used as it is,
    whereas ``nn.MSELoss`` doubles it (D2L 3.5 switches silently).

    Logs ``train/loss``, ``val/loss`` (halves), ``val/rmse``, ``test/rmse`` (in the target's units) and ``test/r2``.
    """

    output_means = "The prediction, in the measure of the target that was trained on."

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.test_r2 = MetricCollection({"test/r2": R2Score()})

    @staticmethod
    def loss(prediction: Tensor, y: Tensor) -> Tensor:
        """Half the squared error, averaged over all entries. Both (B, K) or y (B,)."""
        return (prediction - y.reshape(prediction.shape)).square().mean() / 2

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.loss(self(x), y)
        self.record_train_loss(loss, len(x))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        prediction = self(x)
        self.val_loss.update(self.loss(prediction, y), len(x))
        return {"prediction": prediction}

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        prediction = self(x)
        self.test_loss.update(self.loss(prediction, y), len(x))
        self.test_r2.update(prediction.flatten(), y.flatten())
        return {"prediction": prediction}

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)
        self.log("val/rmse", torch.sqrt(2 * self.val_loss.compute()), prog_bar=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        self.log("test/rmse", torch.sqrt(2 * self.test_loss.compute()))
        self.log_dict(self.test_r2.compute())
        self.test_r2.reset()

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``prediction`` (B, K) for a batch ``x`` or ``(x, ...)``."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        return {"prediction": self(x).float()}
