"""``dive replay``: eight searches, replayed 50 times on one table of LeNet's learning curves. D2L 19.

    dive replay                  replay the table, write results/tune_replay.json, the picture and docs/tune.md
    dive replay --render         only write docs/tune.md and its picture, from the stored results
    dive replay --train 200      first train the rows of results/tune_curves.csv that are missing up to 200

Four workers in simulated time. A search draws rows of the table without replacement; the two that have a model propose
a place of the space, and the nearest row that is left is taken. Which error is the target was fixed beforehand: the
one that asynchronous random search has reached, in the mean, when its workers have trained ten configurations each.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from callbacks.run_record import commit, write_json
from common.messages import UserError
from scripts.evidence.learning_curves import EPOCHS, TABLE, encode, extend, read
from scripts.evidence.pages import DOCS, between, rewrite
from scripts.front.option_parser import OptionParser
from scripts.tune import random_search
from scripts.tune import schedulers as by_name
from scripts.tune.schedulers import Scheduler
from scripts.tune.simulate import Choice, Event, simulate

RESULT = TABLE.with_name("tune_replay.json")
PICTURE = DOCS / "pictures" / "tune_replay.png"
PAGE = DOCS / "tune.md"
WORKERS, REPEATS, ETA = 4, 50, 3
WHOLE = 10  # trainings of each worker that random search's budget is
STARTUP = 8  # random rows before a model chooses
POINTS = 60  # of the stored curves
METHODS = {
    "random": "random search in batches of four",
    "async_random": "random search",
    "halving": "successive halving",
    "hyperband": "Hyperband",
    "asha": "ASHA",
    "asha_stop": "ASHA that stops",
    "tpe": "TPE",
    "gp": "Gaussian process",
}


def main(argv: list[str]) -> int:
    """Trains missing rows if asked, replays, renders; returns 0.

    Raises:
        UserError: There is no table yet.
    """
    parser = OptionParser(prog="dive replay", description=(__doc__ or "").strip())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--train", type=int, metavar="ROWS", help="train the table up to so many configurations")
    parser.add_argument("--render", action="store_true", help="only render what is stored")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="default: %(default)s")
    asked = parser.parse_args(argv)
    if asked.repeats < 2:
        raise UserError(f"--repeats {asked.repeats}: give a whole number of at least 2")
    if asked.train is not None and asked.train < 1:
        raise UserError(f"--train {asked.train}: give a whole number of at least 1")
    if asked.train:
        print(f"{extend(asked.train)} rows trained")
    if not TABLE.is_file() or (asked.render and not RESULT.is_file()):
        raise UserError(f"no {TABLE if not TABLE.is_file() else RESULT}: `dive replay --train 200` makes it")
    if not asked.render:
        write_json(RESULT, study(read(TABLE), asked.repeats))
    result = json.loads(RESULT.read_text())
    draw(result, PICTURE)
    rewrite(PAGE, lambda text: fill_page(text, result))
    print(table(result))
    return 0


# -- the study -----------------------------------------------------------------------------------------------------


def study(rows: Sequence[dict[str, float]], repeats: int) -> dict[str, Any]:
    """Replays every method; returns what ``results/tune_replay.json`` holds."""
    curves = [[row[f"e{k}"] for k in range(1, EPOCHS + 1)] for row in rows]
    seconds = [row["seconds"] for row in rows]
    places = np.array([encode(row) for row in rows])
    budget = WHOLE * EPOCHS * float(np.mean(seconds))
    runs = {}
    for name in METHODS:
        runs[name] = [
            simulate(scheduler_of(name), chooser(name, places, repeat), curves, seconds, WORKERS, budget)
            for repeat in range(repeats)
        ]
        print(f"{name} replayed", flush=True)
    times = np.linspace(0, budget, POINTS + 1)[1:]
    spent = np.linspace(0, WHOLE * WORKERS * EPOCHS, POINTS + 1)[1:]
    by_time = {name: np.array([best_at(run, times, "time") for run in each]) for name, each in runs.items()}
    by_epoch = {name: np.array([best_at(run, spent, "spent") for run in each]) for name, each in runs.items()}
    target = float(by_time["async_random"].mean(0)[-1])
    found: dict[str, Any] = {
        "rows": len(rows),
        "repeats": repeats,
        "workers": WORKERS,
        "epochs": EPOCHS,
        "eta": ETA,
        "budget_seconds": budget,
        "target": target,
        "best_of_table": float(np.min(curves)),
        "commit": commit(),
        "times": times.round(3).tolist(),
        "spent": spent.round(1).tolist(),
        "methods": {},
    }
    for name, errors in by_time.items():
        mean, spread = errors.mean(0), 1.96 * errors.std(0, ddof=1) / repeats**0.5
        compute = by_epoch[name].mean(0)
        found["methods"][name] = {
            "mean": mean.round(5).tolist(),
            "interval": spread.round(5).tolist(),
            "by_epochs": compute.round(5).tolist(),
            "trials": float(np.mean([len({event.row for event in run}) for run in runs[name]])),
            "seconds_to_target": reach(times, mean, target),
            "epochs_to_target": reach(spent, compute, target),
        }
    return found


def scheduler_of(name: str) -> Scheduler:
    """The scheduler of a method; the models train every trial to its end."""
    if name == "random":
        return Scheduler(partial(random_search.next_job, max_epochs=EPOCHS, batch=WORKERS))
    kind = name if name in by_name.NAMES else "none"
    return by_name.make(kind, 1, EPOCHS, ETA)


def chooser(name: str, places: np.ndarray, repeat: int) -> Choice:
    """Chooses the rows of one repeat of a method."""
    order = np.random.default_rng([repeat, 7]).permutation(len(places)).tolist()  # the same for all methods

    def next_random(history: Sequence[tuple[int, tuple[float, ...]]]) -> int:
        return int(order[len(history)])

    def by_model(
        propose: Callable[[np.ndarray, np.ndarray, int], Sequence[float]],
        history: Sequence[tuple[int, tuple[float, ...]]],
    ) -> int:
        done = [(row, min(values)) for row, values in history if len(values) == EPOCHS]
        taken = {row for row, _ in history}
        if len(done) < STARTUP:
            return next(row for row in order if row not in taken)
        x, y = places[[row for row, _ in done]], np.array([value for _, value in done])
        wish = propose(x, y, repeat * 1000 + len(history))
        distance = ((places - np.asarray(wish)) ** 2).sum(1)
        distance[list(taken)] = np.inf
        return int(distance.argmin())

    return partial(by_model, {"tpe": tpe, "gp": gp}[name]) if name in ("tpe", "gp") else next_random


def tpe(x: np.ndarray, y: np.ndarray, seed: int) -> Sequence[float]:
    """The next place by Optuna's TPE."""
    import optuna
    from optuna.distributions import BaseDistribution, FloatDistribution
    from optuna.trial import create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    axes: dict[str, BaseDistribution] = {f"x{k}": FloatDistribution(0, 1) for k in range(x.shape[1])}
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=0))
    study.add_trials(
        [
            create_trial(params=dict(zip(axes, place, strict=True)), distributions=axes, value=value)
            for place, value in zip(x.clip(0, 1).tolist(), y.tolist(), strict=True)
        ]
    )
    return list(study.ask(axes).params.values())


def gp(x: np.ndarray, y: np.ndarray, seed: int) -> Sequence[float]:
    """The next place by the project's Gaussian process: expected improvement of the logarithm of the error."""
    import torch

    from lit_models.gp.bayesian_optimization import suggest

    places, errors = torch.from_numpy(x.clip(0, 1)), torch.from_numpy(np.log(y + 1e-3))
    return suggest(places, errors, seed=seed, candidates=500).tolist()


def best_at(events: Sequence[Event], grid: np.ndarray, axis: str) -> np.ndarray:
    """The best value so far at each point of a grid of times or of epochs spent; chance (0.9) before the first."""
    where = np.array([getattr(event, axis) for event in events])
    best = np.array([0.9, *random_search.incumbents([event.value for event in events])])
    return best[np.searchsorted(where, grid, side="right")]


def reach(grid: np.ndarray, mean: np.ndarray, target: float) -> float | None:
    """The first point of a grid where a mean has reached the target; None where it never does."""
    there = np.flatnonzero(mean <= target + 1e-12)
    return float(grid[there[0]]) if len(there) else None


# -- showing -------------------------------------------------------------------------------------------------------


def table(result: dict[str, Any]) -> str:
    """The results as a table in Markdown, and in a sentence ASHA's goal and its speed."""
    base = result["methods"]["async_random"]
    lines = [
        f"| search | configurations begun | error at the end ± 95 % | seconds to {result['target']:.4f} | faster than "
        "random search | epochs to it |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in result["methods"].items():
        seconds, epochs = row["seconds_to_target"], row["epochs_to_target"]
        faster = f"{base['seconds_to_target'] / seconds:.1f} times" if seconds else "-"
        lines.append(
            f"| {METHODS[name]} | {row['trials']:.0f} | {row['mean'][-1]:.4f} ± {row['interval'][-1]:.4f} | "
            f"{'not reached' if seconds is None else f'{seconds:.1f}'} | {faster} | "
            f"{'not reached' if epochs is None else f'{epochs:.0f}'} |"
        )
    return "\n".join([*lines, "", sentence(result)])


def sentence(result: dict[str, Any]) -> str:
    """What was measured, and how many times faster than random search ASHA is."""
    rows = result["methods"]
    asha, base = rows["asha"]["seconds_to_target"], rows["async_random"]["seconds_to_target"]
    ratio = base / asha if asha else 0.0
    return (
        f"{result['rows']} configurations of {result['epochs']} epochs, {result['repeats']} repeats, "
        f"{result['workers']} workers, {result['budget_seconds']:.0f} simulated seconds each; the best error of the "
        f"whole table is {result['best_of_table']:.4f}. Goal: ASHA reaches random search's error 3 "
        f"times faster. Measured: {ratio:.1f} times."
    )


def fill_page(text: str, result: dict[str, Any]) -> str:
    """A page with the table between its two markers."""
    return between(text, "<!--replay-->", "<!--/replay-->", f"\n{table(result)}\n", "the page")


def draw(result: dict[str, Any], path: Path) -> None:
    """Best error so far over simulated time, and over the epochs that all workers have spent."""
    from callbacks.pictures.figures import new_figure

    figure = new_figure(10, 4)
    left, right = figure.subplots(1, 2, sharey=True)
    for k, (name, row) in enumerate(result["methods"].items()):
        mean, spread = np.array(row["mean"]), np.array(row["interval"])
        left.plot(result["times"], mean, color=f"C{k}", label=METHODS[name], lw=1.3)
        left.fill_between(result["times"], mean - spread, mean + spread, color=f"C{k}", alpha=0.12, lw=0)
        right.plot(result["spent"], row["by_epochs"], color=f"C{k}", lw=1.3)
    for ax, label in ((left, "simulated seconds, four workers"), (right, "epochs of all workers")):
        ax.axhline(result["target"], color="0.6", lw=0.8, ls="--")
        ax.set(xlabel=label, yscale="log", ylim=(0.9 * result["best_of_table"], 0.5))
        ax.grid(alpha=0.3, which="both")
    left.set_ylabel("best validation error so far")
    left.legend(fontsize="small")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path)
