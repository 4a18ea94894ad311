"""``values.png``: the value of each place of a map, and the actions that a policy takes there.

The module supplies ``value_map()``: ``values`` (S,), ``policy`` (S, A), true for each action that is taken, and
perhaps ``path``, a list of states; the datamodule ``grid``, rows and columns, and ``action_names``, of left, down,
right and up. Without a grid there is no picture.
"""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import FitPicture
from common.data_protocol import data_attribute

ARROWS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


class ValueMap(FitPicture):
    """Draws ``value_map()`` of the module at the end of a fit."""

    name = "values"

    def look(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any] | None:
        return pl_module.value_map()  # type: ignore[operator]

    def draw(self, trainer: Trainer, found: dict[str, Any]) -> Figure | None:
        grid, names = data_attribute(trainer, "grid"), data_attribute(trainer, "action_names")
        return draw_values(found["values"], found["policy"], grid, names, found.get("path")) if grid else None


def draw_values(
    values: Tensor, policy: Tensor, grid: tuple[int, int], names: list[str], path: list[int] | None = None
) -> Figure:
    """Values (S,) as colors and numbers, the actions of a policy (S, A) as arrows, a path as a line."""
    rows, columns = grid
    figure = new_figure(0.85 * columns + 1.6, 0.85 * rows + 0.8)
    ax = figure.subplots()
    shown = ax.imshow(values.reshape(rows, columns).tolist(), cmap="viridis")
    figure.colorbar(shown, ax=ax, label="value")
    for state, (value, taken) in enumerate(zip(values.tolist(), policy.tolist(), strict=True)):
        y, x = divmod(state, columns)
        ax.text(x - 0.46, y - 0.44, f"{value:.3g}", ha="left", va="top", fontsize=7, color="white")
        for name in (name for name, used in zip(names, taken, strict=True) if used and not all(taken)):
            dx, dy = ARROWS[name]
            ax.annotate("", (x + 0.38 * dx, y + 0.38 * dy), (x, y), arrowprops={"arrowstyle": "->", "color": "white"})
    if path:
        ax.plot([s % columns for s in path], [s // columns for s in path], color="tab:red", linewidth=2)
    ax.set(xticks=[], yticks=[])
    return figure
