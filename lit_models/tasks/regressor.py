"""Regression. Batch: ``(x, y)``, x (B, ...), y (B,) or (B, K) real numbers."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric, R2Score

from common.messages import UserError, note
from lit_models.layers.precision import full_precision
from lit_models.tasks.processes import precise
from lit_models.tasks.task import Task


class Regressor(Task):
    """Trains ``self.net``, which maps x to (B, K), by the mean of half the squared error (D2L 3.1.1.2).

    With the half, the gradient equals the residual: a learning rate from the book's from-scratch chapters can be used
    unchanged, whereas ``nn.MSELoss`` doubles the gradient (D2L 3.5 switches without saying so).

    Everything is computed in single (or double) precision, also under mixed precision: half precision has two to three
    digits, and a year or a price would be rounded away.

    Logs ``train/loss``, ``val/loss`` (with the half), ``val/rmse``, ``test/rmse`` (in the target's units, also
    if the datamodule has standardized it and gives its ``scale``) and ``test/r2`` (of each output, then their mean).
    """

    output_means = "The prediction, in the measure of the target that was trained on."

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()
        self.test_r2 = R2Score()

    def setup(self, stage: str) -> None:
        """Refuses a precision in which Lightning rounds the targets before the model gets them."""
        precision = getattr(self._trainer, "precision", "32-true")
        if precision in ("bf16-true", "16-true"):
            raise UserError(
                f"trainer.precision {precision} rounds the targets of a regression to three digits: "
                "use 32-true, bf16-mixed or 64-true"
            )

    def forward(self, *inputs: Tensor) -> Any:
        with full_precision(inputs[0]):
            return super().forward(*inputs)

    @property
    def scale(self) -> float:
        """The size of one unit of the model's output in the target's units."""
        return float(self.data_attribute("scale", 1.0))

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
        columns = [t.to(precise(t.device)).flatten(1) for t in (prediction, y.reshape(prediction.shape))]  # (B, K)
        self.test_r2.update(*columns)
        return {"prediction": prediction}

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss)
        self.log("val/rmse", torch.sqrt(2 * self.val_loss.compute()) * self.scale, prog_bar=True)

    def on_test_epoch_start(self) -> None:
        """R2 computes the variance of the targets as a difference of sums, for which single precision is not enough if
        the targets are far from zero.
        """
        self.test_r2.reset()
        self.test_r2.set_dtype(precise(self.device))

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        self.log("test/rmse", torch.sqrt(2 * self.test_loss.compute()) * self.scale)
        try:
            self.log("test/r2", self.test_r2.compute().float())
        except ValueError:  # a single row does not have a variance
            note("test/r2 needs two rows of test data")

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``prediction`` (B, K) for a batch ``x`` or ``(x, ...)``."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        return {"prediction": self(x).float()}
