"""``dive curves RECIPE... --metric NAME``: learning curves of several runs in one picture, seeds as a mean with a band.

    dive curves rl/ppo rl/reinforce --metric val/return --x train/frames
    dive curves cnn/lenet cnn/resnet --metric val/acc                 # all runs of each recipe
    dive curves runs/cnn/lenet/A runs/cnn/lenet/B --metric val/loss   # two runs, a line each

A recipe stands for its runs that have the metric; those of different settings are lines of their own, and only what
differs is named. The band is a 95 % confidence interval of the mean over seeds, by Student's t at each place that all
of them reached. A single run has no band. Seeds are runs with ``--seed_everything N``; of several runs of one seed the
newest counts. Callbacks are settings too, but for those that every run has, those of loggers, and pictures.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from matplotlib.figure import Figure

from callbacks.metrics_csv import read_metrics
from callbacks.pictures.figures import new_figure
from common.messages import UserError, did_you_mean, note
from scripts.front.option_parser import OptionParser
from scripts.front.recipes import CONFIGS, find_recipe
from scripts.front.runs import runs_of, runs_root

LEVEL = 0.95
#: Settings that do not make two runs different; callbacks are looked at one by one.
IGNORED = ("seed_everything", "ckpt_path", "trainer.default_root_dir", "trainer.logger", "trainer.callbacks")
PICTURES, RANGE_TEST = "callbacks.pictures.", "callbacks.pictures.range_test.RangeTest"  # it changes the rate


@dataclass
class Line:
    """What one line shows: runs that differ in their seeds only.

    Args:
        recipe: As it was given.
        settings: Of all of them, dotted names.
        curves: Of each seed: values by place.
    """

    recipe: str
    settings: dict[str, str]
    curves: list[dict[float, float]] = field(default_factory=list)

    def band(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places (N,) that all seeds reached, the mean there (N,), and half the width of its interval (N,).

        Where the seeds were not looked at in the same places, they are those of the first, and the others are taken
        between theirs on straight lines.
        """
        from scipy.stats import t

        first, last = (edge(edge_of(curve) for curve in self.curves) for edge, edge_of in ((max, min), (min, max)))
        places = sorted(set.intersection(*(set(curve) for curve in self.curves)))
        if len(places) < 2:
            places = [x for x in sorted(self.curves[0]) if first <= x <= last]
        each = [dict(sorted(curve.items())) for curve in self.curves]
        values = np.array([np.interp(places, list(curve), list(curve.values())) for curve in each])
        count = len(values)
        half = np.zeros(len(places))
        if count > 1:
            half = t.ppf((1 + LEVEL) / 2, count - 1) * values.std(0, ddof=1) / count**0.5
        return np.array(places), values.mean(0), half


def main(argv: list[str]) -> int:
    """Draws; returns 0."""
    parser = OptionParser(prog="dive curves", description="Learning curves of several runs in one picture.")
    parser.add_argument("what", nargs="+", metavar="RECIPE", help="recipes, or folders of runs")
    parser.add_argument("--metric", required=True, metavar="NAME", help="a column of metrics.csv, as val/acc")
    parser.add_argument("--x", default="step", metavar="NAME", help="step (default), epoch, or another column")
    parser.add_argument("--out", default="", metavar="FILE", help="the picture (default: $DIVE_RUNS/curves_NAME.png)")
    given = parser.parse_args(argv)
    lines = collect(given.what, given.metric, given.x)
    path = Path(given.out or runs_root() / f"curves_{given.metric.replace('/', '_')}.png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(lines, given.metric, given.x).savefig(path)
    except (OSError, ValueError) as error:  # matplotlib: a name that ends in no format
        raise UserError(f"--out {path}: {error}") from None
    for line, name in zip(lines, names(lines), strict=True):
        places, mean, half = line.band()
        seeds = f"{len(line.curves)} seeds" if len(line.curves) > 1 else "1 run"
        last = f"{mean[-1]:.4g}" + (f" +- {half[-1]:.2g}" if len(line.curves) > 1 else "")
        print(f"{name}: {seeds}, {given.metric} {last} at {given.x} {places[-1]:g}")
    print(path)
    return 0


def collect(what: Iterable[str], metric: str, x: str) -> list[Line]:
    """The lines that recipes and run folders stand for.

    Raises:
        UserError: No runs, none with the metric, or runs of one line without a common place.
    """
    lines: dict[tuple[str, str], Line] = {}
    for word in what:
        folders, recipe = [Path(word)], word
        if not (folders[0] / "config.yaml").is_file():
            recipe = find_recipe(word).name
            folders = runs_of(recipe)
        if any(recipe == line.recipe for line in lines.values()):
            continue  # named twice
        if not folders:
            raise UserError(f"no run of {recipe} in {runs_root()}: start one with `dive fit {recipe}`")
        found = [(folder, *read(folder, metric, x)) for folder in folders]
        if not any(curve for _, curve, _ in found):
            columns = sorted({name for _, _, names in found for name in names})
            hint = did_you_mean(metric if metric not in columns else x, columns)
            raise UserError(f"no run of {recipe} has {metric} over {x}{hint or ': there are ' + ', '.join(columns)}")
        if left := sum(not curve for _, curve, _ in found):
            note(f"{recipe}: {left} of {len(found)} runs have no {metric} over {x}: left out")
        newest: dict[tuple[str, Any], tuple[dict[str, str], dict[float, float]]] = {}
        for folder, curve, _ in found:  # the newest last
            if curve:
                config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")) or {}
                settings, seed = settings_of(config), config.get("seed_everything")
                seeded = isinstance(seed, int) and not isinstance(seed, bool)
                newest[repr(settings), seed if seeded else folder] = settings, curve
        if again := len(found) - left - len(newest):
            note(f"{recipe}: {again} runs have the settings and the seed of a newer one: left out")
        for settings, curve in newest.values():
            lines.setdefault((recipe, repr(settings)), Line(recipe, settings)).curves.append(curve)
    for line in lines.values():
        if not len(line.band()[0]):
            raise UserError(f"{line.recipe}: its runs have no {x} in common at which {metric} is known: try --x epoch")
    return list(lines.values())


def read(folder: Path, metric: str, x: str) -> tuple[dict[float, float], list[str]]:
    """A run's values by place, and the names of its columns. The last value counts where a place comes twice."""
    rows = read_metrics(folder / "metrics.csv")
    return {row[x]: row[metric] for row in rows if metric in row and x in row}, sorted({n for row in rows for n in row})


@cache
def onlookers() -> frozenset[str]:
    """The callbacks that every run has, and those of loggers."""
    files = [CONFIGS / "default.yaml", *sorted((CONFIGS / "logger").glob("*.yaml"))]
    trainers = [yaml.safe_load(file.read_text(encoding="utf-8"))["trainer"] for file in files]
    lists = [trainer.get(key, []) for trainer in trainers for key in ("callbacks", "callbacks+")]
    return frozenset(callback["class_path"] for callbacks in lists for callback in callbacks)


def settings_of(config: dict[str, Any]) -> dict[str, str]:
    """The settings of a run's config by dotted name, as text, without those that make no difference."""
    flat: dict[str, str] = {}

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict) and value and name not in IGNORED:
            for key, inner in value.items():
                walk(inner, f"{name}.{key}" if name else str(key))
        elif name not in IGNORED:
            flat[name] = str(value)

    walk(config, "")
    callbacks = (config.get("trainer") or {}).get("callbacks") or []
    for callback in callbacks if isinstance(callbacks, list) else [callbacks]:
        path = str(callback.get("class_path", ""))
        if path == RANGE_TEST or not (path in onlookers() or path.startswith(PICTURES)):
            name = f"trainer.callbacks.{path.rpartition('.')[2]}"
            while name in flat or any(key.startswith(f"{name}.") for key in flat):  # the same one twice
                name += "_again"
            walk(callback.get("init_args") or "set", name)
    return flat


def names(lines: list[Line]) -> list[str]:
    """What tells the lines apart: the recipe, and the settings that differ among its lines."""
    found = []
    for line in lines:
        same = [other.settings for other in lines if other.recipe == line.recipe]
        keys = sorted({key for settings in same for key in settings})
        differing = [key for key in keys if len({settings.get(key) for settings in same}) > 1]
        shown = [f"{key.rpartition('.')[2]} {line.settings.get(key, 'not set')}" for key in differing[:4]]
        found.append(", ".join([line.recipe, *shown]))
    return found


def draw(lines: list[Line], metric: str, x: str) -> Figure:
    """A line and, of several seeds, a band for each."""
    figure = new_figure(7, 4.2)
    axes = figure.add_subplot(xlabel=x, ylabel=metric)
    for line, name in zip(lines, names(lines), strict=True):
        places, mean, half = line.band()
        seeds = f" ({len(line.curves)} seeds)" if len(line.curves) > 1 else ""
        (drawn,) = axes.plot(places, mean, marker="." if len(places) < 30 else "", label=name + seeds)
        axes.fill_between(places, mean - half, mean + half, color=drawn.get_color(), alpha=0.2, linewidth=0)
    axes.legend(fontsize="small")
    return figure
