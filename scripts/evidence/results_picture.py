"""What the networks of a topic reach on the same data, against their size and their time: ``dive pictures`` draws it.

One panel for each datamodule that at least three measured recipes of the topic share. The color of a point shows how
long an epoch takes; the bar is the standard deviation over the seeds.
"""

from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from callbacks.pictures.figures import new_figure
from scripts.evidence.results_page import training_seconds
from scripts.front.recipes import CONFIGS

METRIC = "test/acc"
LEAST = 3  # points that make a picture
SIDES = ((1, 0), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, -1), (0, 1), (0, -1))
PLACES = [(far * x, far * y) for far in (6, 15, 27, 40) for x, y in SIDES]  # of a name, in points from its point


def draw_topic(results: list[tuple[str, dict[str, Any] | None]], topic: str, path: Path | None = None) -> Path | None:
    """Draws the measured results (name, stored result) of a topic; None, and no file, if there are too few."""
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name, result in results:
        if result is not None and METRIC in result["metrics"] and all(run.get("epochs") for run in result["runs"]):
            groups.setdefault(data_of(name), []).append((name, result))
    groups = {data: members for data, members in groups.items() if len(members) >= LEAST}
    if not groups:
        return None
    path = path or CONFIGS.parent / "docs/pictures" / f"{topic}_networks.png"
    draw(groups).savefig(path)
    return path


def data_of(recipe: str) -> str:
    """The class name of a recipe's datamodule."""
    return str(yaml.safe_load((CONFIGS / f"{recipe}.yaml").read_text())["data"]["class_path"].split(".")[-1])


def model_of(recipe: str) -> str:
    """The name of the file of a recipe's model: ``resnet`` for ``cnn/resnet_mnist``."""
    return str(yaml.safe_load((CONFIGS / f"{recipe}.yaml").read_text())["model"]["class_path"].split(".")[-2])


def draw(groups: dict[str, list[tuple[str, dict[str, Any]]]]) -> Figure:
    """Two panels a row."""
    columns = min(2, len(groups))
    rows = -(-len(groups) // columns)
    figure = new_figure(5.5 * columns, 3.8 * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    texts: list[tuple[Axes, list[str], list[tuple[float, float]]]] = []
    for ax, (data, members) in zip(axes, groups.items(), strict=False):
        sizes = [result["runs"][0]["parameters"] for _, result in members]
        values = [[run["metrics"][METRIC] for run in result["runs"]] for _, result in members]
        seconds = [mean(training_seconds(run) / run["epochs"] for run in result["runs"]) for _, result in members]
        means = [mean(v) for v in values]
        spreads = [stdev(v) if len(v) > 1 else 0.0 for v in values]
        ax.errorbar(sizes, means, spreads, fmt="none", ecolor="lightgray", zorder=1)
        points = ax.scatter(sizes, means, c=seconds, cmap="viridis_r", zorder=2)
        ax.set(xscale="log", xlabel="parameters", ylabel=METRIC, title=data)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.margins(0.15)
        ax.grid(alpha=0.3)
        figure.colorbar(points, ax=ax, label="CPU-seconds per epoch")
        texts.append((ax, [model_of(name) for name, _ in members], list(zip(sizes, means, strict=True))))
    for ax in axes[len(groups) :]:
        ax.remove()
    figure.draw_without_rendering()  # settles the layout, which the places of the names depend on
    figure.set_layout_engine("none")
    for ax, names, points_of in texts:
        place_labels(ax, names, points_of)
    return figure


def place_labels(ax: Axes, names: list[str], points: list[tuple[float, float]]) -> None:
    """Places each name at the nearest place without a point or another name, one point after another."""
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in ax.transData.transform(points)]
    panel = ax.get_window_extent()
    for name, point in zip(names, points, strict=True):
        tried: list[tuple[int, int, Annotation, Bbox]] = []  # what it covers, its place in the list, and itself
        for x, y in PLACES:
            label = ax.annotate(
                name,
                point,
                xytext=(x, y),
                textcoords="offset points",
                fontsize="small",
                ha="left" if x > 0 else "right" if x < 0 else "center",
                va="bottom" if y > 0 else "top" if y < 0 else "center",
                arrowprops={"arrowstyle": "-", "color": "gray", "lw": 0.5} if abs(x) + abs(y) > 14 else None,
            )
            label.get_window_extent()  # moves it to its place
            box = Text.get_window_extent(label)  # of the name alone, without the line to its point
            crossed = sum(box.overlaps(other) for other in taken)
            outside = not (panel.x0 <= box.x0 and box.x1 <= panel.x1 and panel.y0 <= box.y0 and box.y1 <= panel.y1)
            tried.append((crossed + outside, len(tried), label, box))
            if tried[-1][0] == 0:
                break
        best = min(tried)
        taken.append(best[3])
        for other in tried:
            if other is not best:
                other[2].remove()
