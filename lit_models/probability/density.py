"""Density estimation. Batch: ``(x, ...)``, x (B, D); what follows x is not used.

Maximum likelihood is the principle behind nearly every loss of this project: minimizing the mean of -log p(x) is
minimizing the Kullback-Leibler divergence from the data's distribution to the model's (Goodfellow et al. 5.5).
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torchmetrics import MeanMetric

from lit_models.layers.precision import full_precision
from lit_models.tasks.processes import precise
from lit_models.tasks.task import Task


class DensityEstimator(Task):
    """Trains ``self.net``, which maps rows (B, D) to their log-density (B,), by the mean of its negative.

    Logs ``train/loss``, ``val/loss``, ``test/loss`` in nats per row and, where the datamodule knows the distribution
    of its rows (``log_density``), ``test/excess``: how much more the test rows cost than under that distribution,
    an estimate of the Kullback-Leibler divergence from it.
    """

    output_means = "The log-density of the row, in nats."

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.val_loss, self.test_loss, self.test_truth = MeanMetric(), MeanMetric(), MeanMetric()

    def forward(self, *inputs: Tensor) -> Any:
        with full_precision(inputs[0]):
            return super().forward(*inputs)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss = -self(batch[0]).mean()
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        self.val_loss.update(-self(batch[0]).float())

    def test_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> dict[str, Tensor]:
        log_prob = self(batch[0]).float()
        self.test_loss.update(-log_prob)
        truth: Callable[[Tensor], Tensor] | None = self.data_attribute("log_density")
        if truth is not None:
            self.test_truth.update(-truth(batch[0].to(precise(self.device))).float())
        return {"log_prob": log_prob}

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_loss, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        self.log("test/loss", self.test_loss)
        if self.data_attribute("log_density") is not None:
            self.log("test/excess", self.test_loss.compute() - self.test_truth.compute())

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """Returns ``log_prob`` (B,) of rows x (B, D)."""
        return {"log_prob": self(batch if isinstance(batch, Tensor) else batch[0]).float()}

    def training_rows(self) -> Tensor:
        """All training rows (N, D) of the datamodule, on every process, in double precision where there is one."""
        rows: Tensor = self.data_attribute("splits")["train"][0]
        return rows.to(self.device, precise(self.device))
