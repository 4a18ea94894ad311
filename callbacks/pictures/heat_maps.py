"""``<name>.png``: tables of numbers that a module computes about itself, as maps side by side.

The module supplies the data and the callback draws it: ``maps()`` returns a list of plain dicts,

    {"title": "...", "values": (R, C), "rows": [R names], "columns": [C names]}

Values of 0 are white and values of 1 dark; small maps also have the numbers.
"""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import FitPicture

MOST_NUMBERS = 16  # columns up to which each number is written


class HeatMaps(FitPicture):
    """Draws ``maps()`` of the module at the end of a fit.

    Args:
        name: Name of the picture, without ``.png``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def look(self, trainer: Trainer, pl_module: LightningModule) -> list[dict[str, Any]] | None:
        return pl_module.maps() or None  # type: ignore[operator]

    def draw(self, trainer: Trainer, found: list[dict[str, Any]]) -> Figure:
        return draw_maps(found)


def draw_maps(maps: list[dict[str, Any]]) -> Figure:
    """One axes for each map, as wide as its columns."""
    widths = [max(len(m["columns"]), 4) for m in maps]
    figure = new_figure(0.32 * sum(widths) + 2 * len(maps), 0.4 * max(len(m["rows"]) for m in maps) + 1.8)
    for ax, table in zip(figure.subplots(1, len(maps), width_ratios=widths, squeeze=False)[0], maps, strict=True):
        values = table["values"].detach().cpu().double()
        ax.imshow(values.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ax.set_xticks(range(len(table["columns"])), table["columns"], fontsize="small")
        ax.set_yticks(range(len(table["rows"])), table["rows"], fontsize="small")
        ax.set_title(table["title"], fontsize="medium")
        for (i, k), value in [
            ((i, k), float(values[i, k])) for i in range(len(values)) for k in range(values.shape[1])
        ]:
            if values.shape[1] <= MOST_NUMBERS:
                ink = "white" if value > 0.6 else "black"
                ax.text(k, i, f"{value:.2f}", ha="center", va="center", color=ink, fontsize="x-small")
    return figure
