"""``trajectory.png`` and ``trajectory.gif``: the way of a point over a function of one or two numbers.

The module supplies ``position()`` (D,), ``limits()`` of the picture and ``heights(points)`` (N, D) -> (N,), the
function above its minimum.
"""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import FitPicture, is_trial

FRAMES = 40


class Trajectory(FitPicture):
    """Records the point after each step, and draws its way at the end of a fit.

    Args:
        animate: Write the GIF too.
    """

    name = "trajectory"

    def __init__(self, animate: bool = True) -> None:
        self.animate = animate
        self.path: list[list[float]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.path:
            self.path.append(pl_module.position().tolist())  # type: ignore[operator]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.path.append(pl_module.position().tolist())  # type: ignore[operator]

    def state_dict(self) -> dict[str, Any]:
        return {"path": self.path}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.path = [list(place) for place in state_dict["path"]]

    def look(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        limits = pl_module.limits()  # type: ignore[operator]
        axes = [torch.linspace(low, high, 200) for low, high in limits]
        grid = torch.cartesian_prod(*axes).view(-1, len(limits))
        path = torch.tensor(self.path)
        with torch.no_grad():
            heights = pl_module.heights(torch.cat([grid, path]).to(pl_module.device)).cpu()  # type: ignore[operator]
        return {"axes": axes, "heights": heights[: len(grid)], "path": path, "along": heights[len(grid) :]}

    def draw(self, trainer: Trainer, found: dict[str, Any]) -> Figure:
        if self.animate and not is_trial(trainer):
            animate(found, Path(trainer.default_root_dir) / "trajectory.gif")
        return draw_way(found)


def draw_way(found: dict[str, Any]) -> Figure:
    """The function with the way on it, and the height over the steps."""
    figure = new_figure(9.4, 3.8)
    left, right = figure.subplots(1, 2)
    draw_surface(left, found)
    left.plot(*places(found), ".-", color="C3", linewidth=1, markersize=3)
    right.plot(found["along"].clamp(min=1e-16).tolist())
    right.set(xlabel="steps", ylabel="height above the minimum", yscale="log")
    right.grid(alpha=0.3)
    return figure


def draw_surface(ax: Any, found: dict[str, Any]) -> None:
    axes, heights = found["axes"], found["heights"]
    if len(axes) == 1:
        ax.plot(axes[0].tolist(), heights.tolist(), color="0.6")
        ax.set(xlabel="x", ylabel="height above the minimum")
    else:
        log = (heights + 1e-3 * heights.max()).log10().view(len(axes[0]), -1).T
        ax.contour(axes[0].numpy(), axes[1].numpy(), log.numpy(), levels=20, cmap="viridis", linewidths=0.7)
        ax.set(xlabel="x", ylabel="y", xlim=(float(axes[0][0]), float(axes[0][-1])))
        ax.set_ylim(float(axes[1][0]), float(axes[1][-1]))


def places(found: dict[str, Any]) -> tuple[list[float], list[float]]:
    """What is drawn of the way: both coordinates, or the one and the height."""
    path: Tensor = found["path"]
    return path[:, 0].tolist(), (path[:, 1] if path.shape[1] > 1 else found["along"]).tolist()


def animate(found: dict[str, Any], file: Path) -> None:
    """The way step by step, in at most 40 frames."""
    figure = new_figure(4.4, 3.8)
    ax = figure.subplots()
    draw_surface(ax, found)
    x, y = places(found)
    (line,) = ax.plot([], [], ".-", color="C3", linewidth=1, markersize=3)
    ends = torch.linspace(1, len(x), min(FRAMES, len(x))).long().tolist()

    def show(end: int) -> list[Any]:
        line.set_data(x[:end], y[:end])
        return [line]

    file.parent.mkdir(parents=True, exist_ok=True)
    FuncAnimation(figure, show, frames=ends).save(file, writer=PillowWriter(fps=8), dpi=70)
