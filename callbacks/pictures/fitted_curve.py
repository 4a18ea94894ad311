"""``curve.png``: a regression of one feature, drawn over its training points, and its attention weights."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute


class FittedCurve(TestPicture):
    """Collects the test batches ``(x (B, 1), y)`` with ``outputs["prediction"]`` and, where a model gives them,
    ``outputs["weights"]`` (B, K), its attention weights on the K training points, in the order of the datamodule's
    ``splits["train"]``.
    """

    name = "curve"

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        rows = {"x": batch[0][:, 0], "y": batch[1], "prediction": outputs["prediction"].reshape(len(batch[0]))}
        if "weights" in outputs:
            rows["weights"] = outputs["weights"]
        return {name: tensor.float() for name, tensor in rows.items()}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        splits = data_attribute(trainer, "splits")
        if splits is not None and "train" not in splits:
            data_attribute(trainer, "setup")("fit")
        return draw_curve(found, splits["train"] if splits is not None else None)


def draw_curve(found: dict[str, Tensor], train: tuple[Tensor, ...] | None) -> Figure:
    """Draws the test points, the prediction and the training points; beside them the weights, both sorted by x."""
    weights = found.get("weights")
    figure = new_figure(11 if weights is not None else 6, 4.5)
    grid = figure.subplots(1, 2 if weights is not None else 1, squeeze=False)[0]
    order = found["x"].argsort()
    x, y, prediction = (found[name][order].numpy() for name in ("x", "y", "prediction"))
    grid[0].plot(x, y, ".", color="0.8", markersize=3, label="test")
    grid[0].plot(x, prediction, color="C3", label="prediction")
    if train is not None:
        grid[0].plot(train[0][:, 0].numpy(), train[1].numpy(), "o", color="C0", markersize=4, label="train")
    grid[0].set(xlabel="x", ylabel="y")
    grid[0].legend()
    if weights is not None:
        keys = train[0][:, 0].argsort() if train is not None else torch.arange(weights.shape[1])
        grid[1].imshow(weights[order][:, keys].numpy(), cmap="Blues", aspect="auto", interpolation="none")
        grid[1].set(xlabel="training points by x", ylabel="test points by x", title="attention")
    return figure
