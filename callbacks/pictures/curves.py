"""``curves.png``: every metric of ``metrics.csv`` over the steps, training and validation in one panel."""

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from callbacks.metrics_csv import read_metrics
from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Picture, is_trial

HIDDEN = {"step", "epoch"}
COLUMNS = 4  # panels in a row


class Curves(Picture):
    """Draws at the end of a fit, and during it at most every ``seconds``.

    Args:
        seconds: Least time between two drawings during the fit.
    """

    name = "curves"

    def __init__(self, seconds: float = 30.0) -> None:
        self.seconds = seconds
        self.drawn = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if time.monotonic() - self.drawn > self.seconds:
            self.update(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.update(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if trainer.training:  # not where the fit was refused, or another command failed
            self.update(trainer)

    def update(self, trainer: Trainer) -> None:
        """Draws the rows that the file has so far."""
        if trainer.is_global_zero and not is_trial(trainer):
            for logger in trainer.loggers:
                logger.save()
            self.finish(trainer, read_metrics(Path(trainer.default_root_dir) / "metrics.csv"))
            self.drawn = time.monotonic()

    def draw(self, trainer: Trainer, found: list[dict[str, Any]]) -> Figure | None:
        return draw_curves(found)


def draw_curves(rows: list[dict[str, Any]]) -> Figure | None:
    """One panel per quantity (the part of the name after the stage), one line per stage."""
    names = sorted({name for row in rows for name in row} - HIDDEN, key=place)
    names = [name for name in names if not name.startswith("test/")]
    panels: dict[str, list[str]] = {}
    for name in names:
        quantity = name.split("/", 1)[-1].removesuffix("_step")
        panels.setdefault(quantity, []).append(name)
    if not panels:
        return None
    height, width = -(-len(panels) // COLUMNS), min(len(panels), COLUMNS)
    figure = new_figure(4.2 * width, 3.2 * height)
    colors = {"train": "tab:blue", "val": "tab:orange"}
    for number, (quantity, members) in enumerate(panels.items(), 1):
        ax = figure.add_subplot(height, width, number)
        for name in members:
            points = [(row["step"], row[name]) for row in rows if name in row]
            faint = name.endswith("_step")
            color = colors.get(name.split("/")[0], "tab:green")
            look: dict[str, Any] = {"alpha": 0.35, "marker": ""} if faint else {"alpha": 1.0, "marker": "."}
            ax.plot(*zip(*points, strict=True), label=name, color=color, **look)
        ax.set(title=quantity, xlabel="step")
        ax.grid(alpha=0.3)
        ax.legend(fontsize="small")
    return figure


def place(name: str) -> tuple[bool, bool, str]:
    """The loss first, times last, the rest by name."""
    return name.startswith("time/"), "loss" not in name, name
