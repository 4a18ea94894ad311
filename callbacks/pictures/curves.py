"""``curves.png``: every metric of ``metrics.csv`` over the steps, training and validation in one panel."""

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure

from callbacks.pictures.figures import new_figure, show
from callbacks.metrics_csv import read_metrics

HIDDEN = {"step", "epoch"}


class Curves(Callback):
    """Draws at the end of a fit, and during it at most every ``seconds``."""

    def __init__(self, seconds: float = 30.0) -> None:
        self.seconds = seconds
        self.drawn = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if time.monotonic() - self.drawn > self.seconds:
            self.draw(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.draw(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.draw(trainer)

    def draw(self, trainer: Trainer) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        for logger in trainer.loggers:
            logger.save()
        rows = read_metrics(Path(trainer.default_root_dir) / "metrics.csv")
        figure = draw_curves(rows)
        if figure is not None:
            show(trainer, figure, "curves")
        self.drawn = time.monotonic()


def draw_curves(rows: list[dict[str, Any]]) -> Figure | None:
    """One panel for each quantity (the part of the name after the stage), one line for each stage."""
    names = sorted({name for row in rows for name in row} - HIDDEN, key=place)
    names = [name for name in names if not name.startswith("test/")]
    panels: dict[str, list[str]] = {}
    for name in names:
        quantity = name.split("/", 1)[-1].removesuffix("_step")
        panels.setdefault(quantity, []).append(name)
    if not panels:
        return None
    figure = new_figure(4.2 * len(panels), 3.2)
    colours = {"train": "tab:blue", "val": "tab:orange"}
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (quantity, members) in zip(axes, panels.items(), strict=True):
        for name in members:
            points = [(row["step"], row[name]) for row in rows if name in row]
            faint = name.endswith("_step")
            colour = colours.get(name.split("/")[0], "tab:green")
            look = {"alpha": 0.35, "marker": ""} if faint else {"alpha": 1.0, "marker": "."}
            ax.plot(*zip(*points, strict=True), label=name, color=colour, **look)
        ax.set(title=quantity, xlabel="step")
        ax.grid(alpha=0.3)
        ax.legend(fontsize="small")
    return figure


def place(name: str) -> tuple[bool, bool, str]:
    """The loss first, times last, the rest by name."""
    return name.startswith("time/"), "loss" not in name, name
