"""``dive regret``: Bayesian optimization of Branin and Hartmann-6 beside random search, over repeats.

    dive regret                           30 repeats: 30 evaluations of Branin, 60 of Hartmann-6; about 20 CPU-minutes
    dive regret --repeats 5 --objectives branin --methods ei random
    dive regret --render                  table and picture only

The regret is the best value so far minus the known minimum. A repeat decides the random places that all methods begin
with. A row of results/regret.csv is one run with its regret after each evaluation; rows that are there are kept.
``ei``, ``ucb``, ``noisy_ei`` and ``random`` are those of ``lit_models/gp/bayesian_optimization.py``.
"""

import argparse
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from common.messages import UserError, did_you_mean
from scripts.evidence.pages import between, rewrite
from scripts.evidence.pictures import small_png
from scripts.evidence.rows_file import append_row, missing, read_unique
from scripts.front.option_parser import OptionParser
from scripts.front.recipes import CONFIGS

ROWS = CONFIGS.parent / "results" / "regret.csv"
PAGE = CONFIGS.parent / "docs" / "gp.md"
PICTURE = CONFIGS.parent / "docs" / "pictures" / "gp_regret.png"
MARKS = ("<!--regret-->\n", "<!--/regret-->")
KEY = ("objective", "method", "repeat")
COLUMNS = (*KEY, "seconds", "regrets")
METHODS = ("random", "ei", "ucb", "noisy_ei")


class Objective(NamedTuple):
    """A function of ``lit_models/gp/objectives.py``, the name of its minimum, its numbers, and the evaluations."""

    function: str
    minimum: str
    size: int
    evaluations: int
    initial: int


OBJECTIVES = {
    "branin": Objective("branin", "BRANIN_MINIMUM", 2, 30, 5),
    "hartmann6": Objective("hartmann6", "HARTMANN_MINIMUM", 6, 60, 10),
}


def run_row(name: str, method: Any, repeat: int) -> dict[str, Any]:
    """One row: a run of a method."""
    from lit_models.gp import objectives
    from lit_models.gp.bayesian_optimization import minimize

    o = OBJECTIVES[name]
    begin = time.process_time()
    _, y = minimize(getattr(objectives, o.function), o.size, o.evaluations, method, o.initial, seed=repeat)
    regrets = (y.cummin(0).values - getattr(objectives, o.minimum)).clamp(min=1e-9).tolist()
    return {
        "objective": name,
        "method": method,
        "repeat": repeat,
        "seconds": time.process_time() - begin,
        "regrets": regrets,
    }


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows that are there."""
    return [
        row
        | {"repeat": int(row["repeat"]), "seconds": float(row["seconds"])}
        | {"regrets": [float(value) for value in row["regrets"].split()]}
        for row in read_unique(path, KEY)
    ]


def measure(names: Iterable[str], methods: Iterable[str], repeats: int) -> None:
    """The rows that are missing, repeat by repeat; each is kept as soon as it is there."""
    wanted = [(name, method, repeat) for repeat in range(repeats) for name in names for method in methods]
    for name, method, repeat in missing(ROWS, KEY, wanted):
        row = run_row(name, method, repeat)
        regrets = " ".join(f"{value:.4g}" for value in row["regrets"])
        append_row(ROWS, COLUMNS, KEY, row | {"seconds": f"{row['seconds']:.2f}", "regrets": regrets})
        print(f"{name} {method} {repeat}: {row['regrets'][-1]:.4f}, {row['seconds']:.1f} s", flush=True)


def table(rows: list[dict[str, Any]]) -> str:
    """In Markdown: the mean regret half-way and at the end with its 95 % interval, and of how many repeats it is lower
    than random search's.
    """
    from scipy.stats import t

    head = ["function", "method", "repeats", "regret half-way", "regret at the end ± 95 %", "better than random search"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, o in OBJECTIVES.items():
        chance = {
            row["repeat"]: row["regrets"][-1] for row in rows if (row["objective"], row["method"]) == (name, "random")
        }
        for method in METHODS:
            own = [row for row in rows if (row["objective"], row["method"]) == (name, method)]
            if not own:
                continue
            last = [row["regrets"][-1] for row in own]
            text = f"{mean(last):.4f}"
            if len(last) > 1:
                text += f" ± {float(t.ppf(0.975, len(last) - 1)) * stdev(last) / len(last) ** 0.5:.4f}"
            pairs = [(row["regrets"][-1], chance[row["repeat"]]) for row in own if row["repeat"] in chance]
            wins = f"{sum(a < b for a, b in pairs)} of {len(pairs)}" if method != "random" and pairs else "-"
            half = mean(row["regrets"][o.evaluations // 2 - 1] for row in own)
            lines.append(f"| {name} | {method} | {len(own)} | {half:.4f} | {text} | {wins} |")
    return "\n".join(lines) + "\n"


def draw(rows: list[dict[str, Any]]) -> Any:
    """The median regret over the evaluations with the quarter and three quarters, a panel for each function."""
    import numpy as np

    from callbacks.pictures.figures import new_figure

    names = [name for name in OBJECTIVES if any(row["objective"] == name for row in rows)]
    figure = new_figure(5.5 * len(names), 3.6)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for number, method in enumerate(METHODS):
            own = [row["regrets"] for row in rows if (row["objective"], row["method"]) == (name, method)]
            if own:
                low, middle, high = np.quantile(np.array(own), (0.25, 0.5, 0.75), axis=0)
                places = range(1, len(middle) + 1)
                axes.plot(places, middle, color=f"C{number}", label=method)
                axes.fill_between(places, low, high, color=f"C{number}", alpha=0.2, linewidth=0)
        axes.set(yscale="log", xlabel="evaluations", ylabel="regret, median and quartiles", title=name)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def render() -> int:
    """Writes table and picture into the page; returns 0.

    Raises:
        UserError: No rows were measured, or the page lacks the marks.
    """
    rows = read_rows(ROWS)
    if not rows:
        raise UserError(f"{ROWS.name} has no rows: run `dive regret`")
    says = "the regret of each method over the evaluations, a panel for each function"
    picture = f"<!--picture results/regret regret.png-->\n![{says}](pictures/{PICTURE.name})\n"
    rewrite(PAGE, lambda text: between(text, *MARKS, table(rows) + "\n" + picture, PAGE.name))
    draw(rows).savefig(PICTURE, dpi=80)
    PICTURE.write_bytes(small_png(PICTURE))
    print(table(rows), end="")
    return 0


def main(argv: list[str]) -> int:
    """Measures and renders; returns 0."""
    parser = OptionParser(prog="dive regret", description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--repeats", type=int, default=30, help="how many; rows that are there are kept")
    parser.add_argument("--objectives", nargs="+", default=list(OBJECTIVES), metavar="NAME", help="branin, hartmann6")
    parser.add_argument(
        "--methods", nargs="+", default=["random", "ei", "ucb"], metavar="NAME", help=", ".join(METHODS)
    )
    parser.add_argument("--render", action="store_true", help="table and picture of the rows that are there")
    options = parser.parse_args(argv)
    for given, there in ((options.objectives, tuple(OBJECTIVES)), (options.methods, METHODS)):
        for name in given:
            if name not in there:
                raise UserError(f"no {name!r} here{did_you_mean(name, there) or ': ' + ', '.join(there)}")
    if options.repeats < 1:
        raise UserError(f"--repeats {options.repeats}: give a whole number of at least 1")
    if not options.render:
        import torch

        torch.set_num_threads(1)
        measure(options.objectives, options.methods, options.repeats)
    return render()
