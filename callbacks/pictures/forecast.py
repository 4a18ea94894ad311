"""``forecast.png``: a series and what was forecast for each time, one and many steps before."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure, show


class Forecast(Callback):
    """Draws the test part from ``outputs["forecast"]`` (B, K) and y (B, K), windows that follow one another in time.

    Args:
        steps: How many steps ahead are drawn.
    """

    def __init__(self, steps: tuple[int, ...] = (1, 4, 16, 64)) -> None:
        self.steps = steps
        self.parts: list[tuple[Tensor, Tensor]] = []

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.parts.append((batch[1].cpu(), outputs["forecast"].cpu()))

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        parts, self.parts = self.parts, []
        if trainer.world_size == 1 and parts and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            truth, forecast = (torch.cat(side) for side in zip(*parts, strict=True))
            show(trainer, draw_forecasts(truth, forecast, self.steps), "forecast")


def draw_forecasts(truth: Tensor, forecast: Tensor, steps: tuple[int, ...]) -> Figure:
    """Draws truth and forecast (B, K): row i begins at time i."""
    figure = new_figure(10, 4)
    axes = figure.subplots()
    series = torch.cat([truth[:, 0], truth[-1, 1:]])
    axes.plot(series.numpy(), color="0.6", linewidth=1, label="measured")
    for k in (k for k in steps if k <= forecast.shape[1]):
        times = torch.arange(len(forecast)) + k - 1
        axes.plot(times.numpy(), forecast[:, k - 1].numpy(), linewidth=1.2, label=f"{k} steps before")
    axes.set(xlabel="time in the test part", ylabel="standard deviations")
    axes.legend()
    return figure
