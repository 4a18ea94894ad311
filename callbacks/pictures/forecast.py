"""``forecast.png``: a series and what was forecast for each time, one and many steps before."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture


class Forecast(TestPicture):
    """Draws the test part from ``outputs["forecast"]`` (B, K) and y (B, K), windows that follow one another in time.

    Args:
        steps: How many steps ahead are drawn.
    """

    name = "forecast"

    def __init__(self, steps: tuple[int, ...] = (1, 4, 16, 64)) -> None:
        self.steps = steps

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"truth": batch[1], "forecast": outputs["forecast"]}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_forecasts(found["truth"], found["forecast"], self.steps)


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
