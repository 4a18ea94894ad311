"""``docs/<topic>.png``: what the networks of a topic reach on the same data, against their size and their time.

One panel for each datamodule that at least three measured recipes of the topic share. The colour of a point says how
long an epoch takes; the bar is the standard deviation over the seeds.
"""

from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml
from matplotlib.figure import Figure

from callbacks.pictures.figures import new_figure
from scripts.evidence.results_page import training_seconds
from scripts.front.recipes import CONFIGS

METRIC = "test/acc"
LEAST = 3  # points that make a picture


def draw_topic(results: list[tuple[str, dict[str, Any] | None]], topic: str, folder: Path | None = None) -> Path | None:
    """Draws the measured results (name, stored result) of a topic; None, and no file, where they are too few."""
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name, result in results:
        if result is not None and METRIC in result["metrics"] and all(run.get("epochs") for run in result["runs"]):
            groups.setdefault(data_of(name), []).append((name, result))
    groups = {data: members for data, members in groups.items() if len(members) >= LEAST}
    if not groups:
        return None
    path = (folder or CONFIGS.parent / "docs") / f"{topic}.png"
    draw(groups).savefig(path)
    return path


def data_of(recipe: str) -> str:
    """The class name of a recipe's datamodule."""
    return yaml.safe_load((CONFIGS / f"{recipe}.yaml").read_text())["data"]["class_path"].rpartition(".")[2]


def draw(groups: dict[str, list[tuple[str, dict[str, Any]]]]) -> Figure:
    figure = new_figure(6.5 * len(groups), 4.2)
    for ax, (data, members) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True):
        sizes = [result["runs"][0]["parameters"] for _, result in members]
        values = [[run["metrics"][METRIC] for run in result["runs"]] for _, result in members]
        seconds = [mean(training_seconds(run) / run["epochs"] for run in result["runs"]) for _, result in members]
        means = [mean(v) for v in values]
        spreads = [stdev(v) if len(v) > 1 else 0.0 for v in values]
        ax.errorbar(sizes, means, spreads, fmt="none", ecolor="lightgray", zorder=1)
        points = ax.scatter(sizes, means, c=seconds, cmap="viridis_r", zorder=2)
        for (name, _), x, y in zip(members, sizes, means, strict=True):
            ax.annotate(name.split("/")[1], (x, y), xytext=(4, 4), textcoords="offset points", fontsize="x-small")
        ax.set(xscale="log", xlabel="parameters", ylabel=METRIC, title=data)
        ax.grid(alpha=0.3)
        figure.colorbar(points, ax=ax, label="CPU-seconds an epoch")
    return figure
