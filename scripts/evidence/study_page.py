"""The results of ``dive study``: differences from ``none`` with their paired intervals, as a table and a picture."""

from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from common.messages import UserError
from scripts.evidence.pages import between, rewrite
from scripts.evidence.pictures import small_png
from scripts.evidence.rows_file import read_unique
from scripts.evidence.study_methods import DEMANDED, METHODS, NETWORKS
from scripts.front.recipes import CONFIGS

PAGE = CONFIGS.parent / "docs" / "regularization.md"
PICTURES = CONFIGS.parent / "docs" / "pictures"
KEY = ("network", "method", "seed")  # of a row
METRICS = {
    "test_acc": "test accuracy",
    "gap": "gap",
    "nll": "negative log-likelihood",
    "ece": "calibration error",
    "robust_acc": "accuracy under attack",
}


class Effect(NamedTuple):
    """The mean difference from ``none`` over seeds, half of its 95 % interval, and over how many seeds."""

    difference: float
    half: float
    seeds: int


def read_rows(path: Path, network: str) -> list[dict[str, Any]]:
    """The rows of a network, numbers as numbers; what was not measured is missing."""
    return [
        {k: v if k in ("network", "method") else float(v) for k, v in row.items() if v != ""}
        for row in read_unique(path, KEY)
        if row["network"] == network
    ]


def effect(rows: list[dict[str, Any]], method: str, metric: str) -> Effect | None:
    """Student's paired interval; None for fewer than two seeds that both have."""
    from scipy.stats import t

    values = {(row["method"], row["seed"]): row[metric] for row in rows if metric in row}
    pairs = [
        v - values["none", seed] for (name, seed), v in values.items() if name == method and ("none", seed) in values
    ]
    if len(pairs) < 2 or method == "none":
        return None
    half = float(t.ppf(0.975, len(pairs) - 1)) * stdev(pairs) / len(pairs) ** 0.5
    return Effect(mean(pairs), half, len(pairs))


def render(rows_file: Path) -> int:
    """Writes each network's table into the page, and its picture; prints the demanded signs and returns 1 if one is
    wrong.
    """
    wrong, drawn = 0, 0
    for network in NETWORKS:
        rows = read_rows(rows_file, network)
        if not any(effect(rows, name, "test_acc") for name in METHODS):
            continue
        drawn += 1
        marks = {"first": f"<!--study {network}-->\n", "last": "<!--/study-->"}
        rewrite(PAGE, partial(between, **marks, new=table(rows), page=PAGE.name))
        picture = PICTURES / f"regularization_study_{network}.png"
        draw(rows).savefig(picture, dpi=80)
        picture.write_bytes(small_png(picture))
        wrong += wrong_signs(network, rows)
    if not drawn:
        raise UserError(f"{rows_file.name} has no two seeds of a method and of none: run `dive study`")
    return int(wrong > 0)


def wrong_signs(network: str, rows: list[dict[str, Any]]) -> int:
    """Prints the effects whose sign was predicted; returns how many have another."""
    wrong = 0
    for (method, metric), sign in DEMANDED.items():
        found = effect(rows, method, metric)
        if found is not None:
            right = found.difference * sign > 0
            wrong += not right
            word = "ok  " if right else "WRONG"
            print(f"{word} {network}, {method} {metric}: {found.difference:+.4f} ± {found.half:.4f}")
    return wrong


def table(rows: list[dict[str, Any]]) -> str:
    """In Markdown: the means of ``none``, then of each method the differences from it."""
    lines = ["| method | seeds | " + " | ".join(METRICS.values()) + " | seconds |", "|---" * (len(METRICS) + 3) + "|"]
    none = [row for row in rows if row["method"] == "none"]
    cells = [f"{mean(row[metric] for row in none):.3f}" for metric in METRICS]
    lines.append(f"| none | {len(none)} | {' | '.join(cells)} | {mean(row['seconds'] for row in none):.1f} |")
    for name in METHODS:
        own = [row for row in rows if row["method"] == name]
        effects = {metric: effect(rows, name, metric) for metric in METRICS}
        if found := effects["test_acc"]:
            cells = [cell(effects[metric], DEMANDED.get((name, metric), 0)) for metric in METRICS]
            seconds = mean(row["seconds"] for row in own)
            lines.append(f"| {name} | {found.seeds} | {' | '.join(cells)} | {seconds:.1f} |")
    return "\n".join(lines) + f"\n\n{by_chance(rows)}\n"


def by_chance(rows: list[dict[str, Any]]) -> str:
    """How many bold cells chance makes, and how many there are."""
    found = [e for name in METHODS for metric in METRICS if (e := effect(rows, name, metric)) and e.half]
    bold = sum(abs(e.difference) > e.half for e in found)
    return (
        f"The {len(found)} intervals are not corrected for their number: if no method changed anything, about 5 % of "
        f"them, {len(found) * 0.05:.2g}, would be bold by chance. Bold here: {bold}. A single bold cell is a hint."
    )


def cell(found: Effect | None, sign: int) -> str:
    """A difference with its interval; bold where the interval is on one side of 0; what was demanded is marked."""
    if found is None:
        return "-"
    text = f"{found.difference:+.3f} ± {found.half:.3f}"
    text = f"**{text}**" if abs(found.difference) > found.half else text
    return text + ("" if not sign else " ✓" if found.difference * sign > 0 else " ✗")


def draw(rows: list[dict[str, Any]]) -> Any:
    """A panel for each metric, all methods on one axis with their intervals, in the order of test accuracy."""
    from callbacks.pictures.figures import new_figure

    found = {name: effect(rows, name, "test_acc") for name in METHODS}
    names = sorted((n for n, e in found.items() if e), key=lambda n: found[n].difference)  # type: ignore[union-attr]
    kinds = list(dict.fromkeys(method.kind for method in METHODS.values()))
    figure = new_figure(13, 0.28 * len(names) + 1.2)
    metrics = [metric for metric in METRICS if metric != "gap"]
    panels = figure.subplots(1, len(metrics), sharey=True)
    for axes, metric in zip(panels, metrics, strict=True):
        axes.axvline(0, color="0.6", linewidth=1)
        for place, name in enumerate(names):
            if e := effect(rows, name, metric):
                color = f"C{kinds.index(METHODS[name].kind)}"
                axes.errorbar(e.difference, place, xerr=e.half, fmt="o", color=color, capsize=2, markersize=4)
        axes.set(xlabel=f"{METRICS[metric]}, minus none's")
        axes.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(names)), names)
    return figure
