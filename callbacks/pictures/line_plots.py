"""``<name>.png``: lines and points that a module computes about itself, side by side.

The module supplies the data and the callback draws it: ``panels()`` returns a list of plain dicts,

    {"title": "...", "xlabel": "...", "lines": {label: (x, y)}, "points": {label: (x, y)}, "log": True}

of which only the title is required; x and y are tensors (N,), ``log`` makes the vertical axis logarithmic, and ``ylim``
(low, high) limits it. ``bands`` {label: (x, low, high)} are filled areas behind them.
"""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import FitPicture


class LinePlots(FitPicture):
    """Draws ``panels()`` of the module at the end of a fit.

    Args:
        name: Name of the picture, without ``.png``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def look(self, trainer: Trainer, pl_module: LightningModule) -> list[dict[str, Any]] | None:
        return pl_module.panels() or None  # type: ignore[operator]

    def draw(self, trainer: Trainer, found: list[dict[str, Any]]) -> Figure:
        return draw_panels(found)


def draw_panels(panels: list[dict[str, Any]]) -> Figure:
    """One axes for each panel, side by side; values that are not finite leave a gap."""
    figure = new_figure(4.6 * len(panels), 3.8)
    for ax, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for label, (x, low, high) in panel.get("bands", {}).items():
            ax.fill_between(plain(x), plain(low), plain(high), alpha=0.25, linewidth=0, label=label)
        for label, (x, y) in panel.get("points", {}).items():
            ax.plot(plain(x), plain(y), ".", alpha=0.5, label=label)
        for label, (x, y) in panel.get("lines", {}).items():
            ax.plot(plain(x), plain(y), label=label)
        ax.set(title=panel["title"], xlabel=panel.get("xlabel", ""))
        if panel.get("log"):
            ax.set_yscale("log")
        if "ylim" in panel:
            ax.set_ylim(*panel["ylim"])
        ax.grid(alpha=0.3)
        if panel.get("lines") or panel.get("points"):
            ax.legend(fontsize="small")
    return figure


def plain(values: Tensor) -> list[float]:
    return values.detach().cpu().double().flatten().tolist()
