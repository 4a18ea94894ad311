"""``curve.png``: a regression of one feature, drawn over its training points, and what its predictions look at."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure, show


class FittedCurve(Callback):
    """Collects the test batches ``(x (B, 1), y)`` with ``outputs["prediction"]`` and, where a model gives them,
    ``outputs["weights"]`` (B, K), its attention to the K training points, in the order of the datamodule's
    ``splits["train"]``.
    """

    def __init__(self) -> None:
        self.parts: dict[str, list[Tensor]] = {}

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        found = {"x": batch[0][:, 0], "y": batch[1], "prediction": outputs["prediction"].reshape(len(batch[0]))}
        found |= {"weights": outputs["weights"]} if "weights" in outputs else {}
        for name, tensor in found.items():
            self.parts.setdefault(name, []).append(tensor.detach().float().cpu())

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        found = {name: torch.cat(parts) for name, parts in self.parts.items()}
        self.parts = {}
        if not found or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        data = getattr(trainer, "datamodule", None)
        if data is not None and "train" not in data.splits:
            data.setup("fit")
        train = data.splits["train"] if data is not None else None
        show(trainer, draw_curve(found, train), "curve")


def draw_curve(found: dict[str, Tensor], train: tuple[Tensor, ...] | None) -> Figure:
    """Draws the test points, the prediction and the training points; beside them the weights, both sides sorted."""
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
