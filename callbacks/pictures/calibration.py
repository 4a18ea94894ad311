"""``calibration.png``: whether predicted normal distributions mean what they say."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture

DRAWN = 200  # predictions with their intervals


class Calibration(TestPicture):
    """Collects y and what ``test_step`` returns as ``prediction`` and ``variance``, each (B,).

    Left: of the targets, how many are below each quantile that was predicted; calibrated predictions are on the
    diagonal, unsure ones are an S. Right: targets over predictions, with the interval of two standard deviations.
    """

    name = "calibration"

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows | None:
        if not isinstance(outputs, dict) or "variance" not in outputs:
            return None
        mean, std = outputs["prediction"].double(), outputs["variance"].double().sqrt()
        return {"y": batch[1].reshape(mean.shape).double(), "mean": mean, "std": std}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_calibration(**found)


def draw_calibration(y: Tensor, mean: Tensor, std: Tensor) -> Figure:
    """Two axes: the quantiles of y (N,) under N(mean, std^2), and y over the predictions."""
    figure = new_figure(9, 4)
    left, right = figure.subplots(1, 2)
    quantiles = torch.special.ndtr((y - mean) / std).sort().values
    left.plot([0, 1], [0, 1], color="0.7")
    left.plot(quantiles.numpy(), ((torch.arange(len(y)) + 0.5) / len(y)).numpy())
    left.set(xlabel="predicted quantile", ylabel="fraction of targets below", title="calibration")
    order = torch.linspace(0, len(y) - 1, min(len(y), DRAWN)).long()
    mean, y, std = mean[order], y[order], std[order]
    right.errorbar(mean.numpy(), y.numpy(), xerr=(2 * std).numpy(), fmt=".", alpha=0.4, linewidth=0.8)
    ends = [float(y.min()), float(y.max())]
    right.plot(ends, ends, color="0.7")
    right.set(xlabel="prediction, with two standard deviations", ylabel="target", title="predictions")
    return figure
