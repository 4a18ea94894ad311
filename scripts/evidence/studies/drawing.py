"""The pictures of ``dive performance``, from what was measured."""

from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from callbacks.pictures.figures import new_figure
from scripts.evidence.studies.roofline import roof
from scripts.evidence.studies.work import Row

COLORS = {"load": "C1", "compute": "C0", "send": "C2"}
NAMES = {"load": "loading", "compute": "computing", "send": "sending"}


def hardware(rows: list[Row]) -> Any:
    """Times beside the book's, and the bandwidth of copies by their size."""
    items = [row for row in rows if row["kind"] == "item" and row["here"]][::-1]
    figure = new_figure(11, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    places = np.arange(len(items))
    left.plot([row["here"] for row in items], places, "o", label="here")
    known = [(row["book"], k) for k, row in enumerate(items) if row["book"]]
    left.plot([book for book, _ in known], [k for _, k in known], "x", color="C3", label="the book's table")
    left.set_yticks(places, [row["what"] for row in items])
    left.set(xscale="log", xlabel="seconds")
    copies = [row for row in rows if row["kind"] == "copy" and row["where"] == "CPU"]
    right.plot([row["bytes"] for row in copies], [row["rate"] / 1e9 for row in copies], "o-")
    right.set(xscale="log", xlabel="bytes of the tensor that is copied", ylabel="GB/s read and written", ylim=0)
    left.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def compiled(rows: list[Row]) -> Any:
    """Seconds since the start by the number of steps: where the lines of a network cross, compiling is paid."""
    figure = new_figure(11, 3.0)
    for axes, row in zip(figure.subplots(1, max(1, len(rows)), squeeze=False)[0], rows, strict=False):
        eager, made, once = median(row["eager"]), median(row["compiled"]), row["compiling"]
        last = 2 * once / (eager - made) if made < eager else 2 * once / eager
        steps = np.linspace(0, last, 50)
        axes.plot(steps, eager * steps, label="eager")
        axes.plot(steps, once + made * steps, label="compiled")
        axes.set(title=row["network"], xlabel="steps", ylabel="seconds", xlim=0, ylim=0)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def asynchronous(rows: list[Row]) -> Any:
    """How much of a call's time Python spends in the call, and how much of it is left for other work."""
    calls = [row for row in rows if row["kind"] == "call"][::-1]
    figure = new_figure(9, 0.45 * len(calls) + 1.2)
    axes = figure.subplots()
    inside = [min(1.0, row["returned"] / row["done"]) for row in calls]
    axes.barh(range(len(calls)), inside, color="C3", label="the call has not returned")
    axes.barh(range(len(calls)), [1 - part for part in inside], left=inside, color="C2", label="Python goes on")
    axes.set_yticks(range(len(calls)), [f"{row['what'].replace('`', '')} ({row['where']})" for row in calls])
    axes.set(xlabel="part of the time until the result is there", xlim=(0, 1))
    figure.legend(fontsize="small", loc="outside upper center", ncols=2)
    return figure


def overlap(rows: list[Row]) -> Any:
    """Who was busy when: one after the other, and overlapped."""
    panels = [(row, way) for row in rows for way in ("after", "overlapped") if way in row["spans"]]
    figure = new_figure(11, 1.2 * len(panels) + 0.6)
    for axes, (row, way) in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        kinds = list(dict.fromkeys(kind for kind, _, _ in row["spans"][way]))
        for kind in kinds:
            own = [(1000 * begin, 1000 * (end - begin)) for k, begin, end in row["spans"][way] if k == kind]
            axes.broken_barh(own, (kinds.index(kind) - 0.35, 0.7), color=COLORS[kind], edgecolor="white")
        axes.set_yticks(range(len(kinds)), [NAMES[kind] for kind in kinds])
        manner = "overlapped" if way == "overlapped" else "one after the other"
        axes.set_title(f"{row['what']}: {manner}", fontsize="medium")
        axes.grid(axis="x", alpha=0.3)
        axes.set_xlim(left=min(0.0, *(1000 * begin for _, begin, _ in row["spans"][way])))
    axes.set_xlabel("milliseconds")
    return figure


def roofline(rows: list[Row]) -> Any:
    """Operations a second by operations for each byte, under the measured roof."""
    points = [row for row in rows if row["kind"] == "network"]
    figure = new_figure(9, 4.6)
    axes = figure.subplots()
    intensities = [row["operations"] / row["bytes"] for row in points]
    (top,) = (row for row in rows if row["kind"] == "roof")
    ridge = top["rate"] / top["bandwidth"]  # operations for each byte at which slope and ceiling meet
    line = np.geomspace(min(*intensities, ridge) / 4, max(*intensities, ridge) * 4, 200)
    axes.plot(line, [roof(rows, x) / 1e9 for x in line], color="black", label="measured roof")
    for i, (row, x) in enumerate(zip(points, intensities, strict=True)):
        y = row["operations"] / row["seconds"] / 1e9
        axes.plot(x, y, "osD^v"[i // 10 % 5], color=f"C{i % 10}", label=row["recipe"])
    axes.set(xscale="log", yscale="log", xlabel="operations for each byte", ylabel="billion operations a second")
    axes.grid(alpha=0.3, which="both")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    return figure


DRAWINGS: dict[str, Callable[[list[Row]], Any]] = {
    "hardware": hardware,
    "compile": compiled,
    "asynchronous": asynchronous,
    "overlap": overlap,
    "roofline": roofline,
}
