"""``forecast.png``: a series and its forecasts, one and many steps ahead."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute
from common.horizons import STEPS


class Forecast(TestPicture):
    """Draws the test part from ``outputs["forecast"]`` (B, K) and y (B, K), windows that follow one another in time, in
    the series' units where the datamodule knows them (``in_units``, ``unit``).

    Args:
        steps: Which forecasts are drawn, in steps ahead.
    """

    name = "forecast"

    def __init__(self, steps: tuple[int, ...] = STEPS) -> None:
        self.steps = steps

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"truth": batch[1], "forecast": outputs["forecast"]}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        in_units = data_attribute(trainer, "in_units", lambda _, values: values)
        truth, forecast = (in_units("forecast", found[name]) for name in ("truth", "forecast"))
        return draw_forecasts(truth, forecast, self.steps, data_attribute(trainer, "unit", ""))


def draw_forecasts(truth: Tensor, forecast: Tensor, steps: tuple[int, ...], unit: str = "") -> Figure:
    """Draws truth and forecast (B, K), in ``unit``: row i begins at time i."""
    figure = new_figure(10, 4)
    axes = figure.subplots()
    series = torch.cat([truth[:, 0], truth[-1, 1:]])
    axes.plot(series.numpy(), color="0.6", linewidth=1, label="measured")
    for k in (k for k in steps if k <= forecast.shape[1]):
        times = torch.arange(len(forecast)) + k - 1
        axes.plot(times.numpy(), forecast[:, k - 1].numpy(), linewidth=1.2, label=f"{k} steps before")
    axes.set(xlabel="time in the test part", ylabel=unit)
    axes.legend()
    return figure
