"""``regression.png``: predictions against true values, and the distribution of the errors."""

from typing import Any

from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture


class RegressionPlot(TestPicture):
    """Collects ``outputs["prediction"]`` of the test batches ``(x, y)`` of a regressor."""

    name = "regression"

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"truth": batch[-1], "prediction": outputs["prediction"]}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_regression(found["truth"].flatten(), found["prediction"].flatten())


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
