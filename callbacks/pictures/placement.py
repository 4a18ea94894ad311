"""``placement.png``: which process has which part of each layer, and where they meet.

The module supplies the rows and the callback draws them: ``placement()`` returns a list of plain dicts, one a layer,

    {"name": "conv3", "boxes": ["192 kernels", "192 kernels"], "reads": "both", "adds": False}

``boxes`` has a text for each process, ``reads`` is image, own, both or all, and with ``adds`` the layer's outputs are
summed over the processes.
"""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import FitPicture

COLORS = ("#cfe3f7", "#fbe0c5", "#d8efd3", "#eed7ee")
CROSSING = "#b03030"


class PlacementPicture(FitPicture):
    """Draws ``placement()`` of the module at the end of a fit."""

    name = "placement"

    def look(self, trainer: Trainer, pl_module: LightningModule) -> list[dict[str, Any]] | None:
        return pl_module.placement() or None  # type: ignore[operator]

    def draw(self, trainer: Trainer, found: list[dict[str, Any]]) -> Figure:
        return draw_placement(found)


def draw_placement(rows: list[dict[str, Any]]) -> Figure:
    """A column of boxes for each process, from the image at the top; arrows that cross are messages."""
    count = max(len(row["boxes"]) for row in rows)
    figure = new_figure(2.6 * count + 1.6, 0.85 * len(rows) + 0.9)
    ax = figure.subplots()
    ax.set(xlim=(-0.75, count - 0.4), ylim=(len(rows) + 0.15, -0.75))
    ax.set_axis_off()
    for process in range(count):
        ax.text(process, -0.6, f"process {process}", ha="center", fontsize="small", weight="bold")
    for y, row in enumerate(rows):
        ax.text(-0.72, y, row["name"], va="center", fontsize="small", weight="bold")
        for x, text in enumerate(row["boxes"]):
            box = FancyBboxPatch(
                (x - 0.36, y - 0.26), 0.72, 0.52, boxstyle="round,pad=0.02", fc=COLORS[x % 4], ec="gray"
            )
            ax.add_patch(box)
            ax.text(x, y, text, ha="center", va="center", fontsize=7)
            sources = range(count) if row["reads"] in ("both", "all") else [x]
            for source in sources if y else ():
                cross = source != x
                arrow = {"arrowstyle": "->", "color": CROSSING if cross else "gray", "lw": 1.0}
                ax.annotate("", (x, y - 0.3), (source, y - 0.7), arrowprops=arrow)
    if rows[-1].get("adds"):
        ax.text((count - 1) / 2, len(rows) - 0.5, "summed over the processes", ha="center", va="top",
                fontsize="small", color=CROSSING)  # fmt: skip
    return figure
