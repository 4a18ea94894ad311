"""Regression with a normal distribution as prediction. Batch: ``(x, y)``, x (B, F), y (B,) real numbers."""

import math
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MeanMetric

from common.messages import UserError
from lit_models.functional.gaussian_scores import LEVELS, calibration_error, inside, normal_crps, normal_nll
from lit_models.layers.precision import full_precision
from lit_models.tasks.task import Task

HALF_WIDTH = 1.959964  # standard deviations on each side that hold 95 % of a normal distribution


class GaussianRegressor(Task):
    """``self.net`` maps x to the mean, the variance of the function and the variance of an observation, each (B,).

    The two variances are different things: the function's becomes zero where there is enough data, an observation's
    stays above the noise. Scores and the intervals of predictions are of observations.

    Logs ``val/loss`` and ``test/nll`` (negative log-likelihood of an observation in nats, in the target's units),
    ``val/rmse``, ``test/rmse``, ``test/crps``, ``test/coverage`` (the fraction of targets in their 95 % interval) and
    ``test/calibration`` (the mean distance of the coverage of nine intervals from what it should be).

    Computed in double precision: half precision is left (``full_precision``).
    """

    output_means = "The mean, the variance of the function and the variance of an observation."

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)
        self.val_nll, self.val_square = MeanMetric(), MeanMetric()
        self.test_nll, self.test_square, self.test_crps = MeanMetric(), MeanMetric(), MeanMetric()
        self.test_inside = torch.nn.ModuleList(MeanMetric() for _ in (*LEVELS, 0.95))

    def setup(self, stage: str) -> None:
        """Refuses a precision in which Lightning rounds the targets before the model gets them."""
        precision = getattr(self._trainer, "precision", "32-true")
        if precision in ("bf16-true", "16-true"):
            raise UserError(f"trainer.precision {precision} rounds a Gaussian process away: use 32-true or 64-true")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        with full_precision(x):
            return self.net(x.double())

    @property
    def scale(self) -> float:
        """The size of one unit of the model's output in the target's units."""
        return float(self.data_attribute("scale", 1.0))

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        mean, _, variance = self(x)
        y = y.reshape(mean.shape).double()
        self.val_nll.update(normal_nll(y, mean, variance).mean(), len(x))
        self.val_square.update((y - mean).square().mean(), len(x))
        return {"prediction": mean, "variance": variance}

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        mean, function, variance = self(x)
        y = y.reshape(mean.shape).double()
        self.test_nll.update(normal_nll(y, mean, variance).mean(), len(x))
        self.test_square.update((y - mean).square().mean(), len(x))
        self.test_crps.update(normal_crps(y, mean, variance).mean(), len(x))
        for level, found in zip((*LEVELS, 0.95), self.test_inside, strict=True):
            found.update(inside(y, mean, variance, level).double().mean(), len(x))  # type: ignore[operator]
        return {"prediction": mean, "variance": variance, "function_variance": function}

    def on_validation_epoch_end(self) -> None:
        self.log("val/loss", self.val_nll.compute() + math.log(self.scale))
        self.log("val/rmse", self.val_square.compute().sqrt() * self.scale, prog_bar=True)
        self.val_nll.reset()
        self.val_square.reset()

    def on_test_epoch_end(self) -> None:
        inside_found = torch.stack([metric.compute() for metric in self.test_inside])  # type: ignore[operator]
        found = {
            "rmse": self.test_square.compute().sqrt() * self.scale,
            "nll": self.test_nll.compute() + math.log(self.scale),
            "crps": self.test_crps.compute() * self.scale,
            "coverage": inside_found[-1],
            "calibration": calibration_error(inside_found[:-1]),
        }
        self.log_dict({f"test/{name}": value for name, value in found.items()})
        for metric in (self.test_nll, self.test_square, self.test_crps, *self.test_inside):
            metric.reset()  # type: ignore[operator]

    def predict_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        """``prediction`` (B,), the mean, and ``lower`` and ``upper``, which hold 95 % of observations."""
        mean, _, variance = self(batch if isinstance(batch, Tensor) else batch[0])
        half = HALF_WIDTH * variance.sqrt()
        return {"prediction": mean, "lower": mean - half, "upper": mean + half}
