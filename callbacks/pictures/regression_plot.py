"""``regression.png``: what was predicted against what was true, and how the errors are spread."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure, show


class RegressionPlot(Callback):
    """Collects ``outputs["prediction"]`` of the test batches ``(x, y)`` of a regressor."""

    def __init__(self) -> None:
        self.parts: list[tuple[Tensor, Tensor]] = []  # (truth, prediction)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.parts.append((batch[-1].detach().flatten().cpu(), outputs["prediction"].detach().flatten().cpu()))

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        parts, self.parts = self.parts, []
        if trainer.world_size > 1:
            gathered: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(gathered, parts)
            parts = [part for rank in gathered for part in rank]
        if parts and trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            truth, prediction = (torch.cat([part[k] for part in parts]) for k in (0, 1))
            show(trainer, draw_regression(truth, prediction), "regression")


def draw_regression(truth: Tensor, prediction: Tensor) -> Figure:
    """Truth (N,) and prediction (N,), with the diagonal on which they are equal, beside the errors' histogram."""
    error = prediction - truth
    figure = new_figure(9, 4.2)
    left, right = figure.subplots(1, 2)
    left.scatter(truth.tolist(), prediction.tolist(), s=9, alpha=0.6)
    ends = [float(truth.min()), float(truth.max())]
    left.plot(ends, ends, color="gray", linewidth=1)
    left.set(xlabel="truth", ylabel="prediction", title=f"rmse {float(error.square().mean().sqrt()):.4g}")
    right.hist(error.tolist(), bins=40)
    right.set(xlabel="prediction - truth", ylabel="samples", title=f"mean error {float(error.mean()):.3g}")
    for ax in (left, right):
        ax.grid(alpha=0.3)
    return figure
