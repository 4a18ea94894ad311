"""``dive tune``: what a search costs beside the trainings, and whether a study of 1,000 trials stays usable.

``asking and telling``: trials that train nothing, so that scheduler, sampler, claims and SQLite are all there is:
``ours`` are the 10 after 1,000 configurations, ``early`` the first 10. ``a search``: configurations of LeNet, ten
seconds and more each: ``ours`` counts epochs over the wall-clock of the whole search with one job, ``bare`` over the
seconds that the trials were in training by themselves (each run's own record). Between the two are processes, data,
networks, files.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from optuna.trial import FrozenTrial, TrialState, create_trial

from scripts.evidence.benches.part import Goal, Part
from scripts.tune import samplers, schedulers
from scripts.tune.engine import Engine
from scripts.tune.ledger import Ledger
from scripts.tune.search import Search
from scripts.tune.space import Space, read_space
from scripts.verbs import tune

PART = Part(
    "Searching",
    """\
`asking and telling`: trials that train nothing, in SQLite, under ASHA: `ours` are those after 1,000 configurations,
`early` the first ones of a study. `a search`: three configurations of LeNet, one after the other; `ours` counts epochs
over the wall-clock of the whole search, `bare` over the seconds in which the trials were in training.""",
    "trials or epochs",
    (Goal("a search", "bare", 0.95, None, "trials of ten seconds and more, forked from a warm process"),),
)
BEFORE, TRIALS, EPOCHS, CONFIGURATIONS = 1000, 10, 60, 3
RECIPE = "cnn/lenet"
Row = dict[str, Any]


class Instant(Engine):
    """An engine whose trials are done as soon as they begin; ``times`` says when each configuration was begun."""

    def __init__(self, search: Search, ledger: Ledger) -> None:
        super().__init__(search, ledger)
        self.times: list[float] = []

    def start(self, trial: FrozenTrial, turn: int, until: int) -> None:
        if turn == 0:
            self.times.append(time.perf_counter())
        for epoch in range(len(trial.intermediate_values) + 1, until + 1):
            trial.intermediate_values[epoch] = value_of(trial.params, epoch)
            self.ledger.report(trial, epoch, trial.intermediate_values[epoch])
        self.finish(trial, turn, until)


def written(folder: Path, epochs: int) -> Path:
    """A space of one parameter."""
    facts = {"metric": "val/loss", "mode": "min", "max_epochs": epochs}
    parameters = {"model.optimizer.lr": {"low": 0.0003, "high": 0.3, "log": True}}
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(facts | {"parameters": parameters}))
    return path


def value_of(params: dict[str, Any], epoch: int) -> float:
    return abs(float(params["model.optimizer.lr"]) - 0.1) + 1 / epoch


def fill(ledger: Ledger, space: Space, count: int) -> None:
    """Writes the configurations of a study that has come so far: a third paused at each rung, as ASHA leaves them."""
    found = [samplers.propose("random", space, [], draw, 0) for draw in range(count)]
    order = sorted(range(count), key=lambda draw: value_of(found[draw], 1))
    for rank, draw in enumerate(order):
        epochs = 9 if rank < count // 9 else 3 if rank < count // 3 else 1
        curve = {epoch: value_of(found[draw], epoch) for epoch in range(1, epochs + 1)}
        done = {"state": TrialState.COMPLETE, "value": curve[9]} if epochs == 9 else {"state": TrialState.RUNNING}
        facts = {"draw": draw, "run": f"trials/{draw:04d}", "released": 0}
        template = create_trial(
            params=found[draw],
            distributions=space.parameters,
            intermediate_values=curve,
            user_attrs=facts,
            **done,
        )
        ledger.storage.create_new_trial(ledger.study, template)
        claim = {"draw": draw, "turn": 0, "until": epochs, "worker": ledger.worker}
        template = create_trial(state=TrialState.COMPLETE, value=0.0, user_attrs=claim)
        ledger.storage.create_new_trial(ledger.claims, template)


@contextmanager
def filled(count: int) -> Iterator[Path]:
    """The database of a study that has ``count`` configurations: filling it takes longer than what is timed."""
    with tempfile.TemporaryDirectory() as name:
        space, path = read_space(written(Path(name), 9)), Path(name) / "study.db"
        fill(Ledger(f"sqlite:///{path}", "a", space, {}), space, count)
        yield path


def asking(sampler: str, study: Path | None, before: int, trials: int) -> list[float]:
    """When each further configuration of a study was begun, and the end, in seconds; ASHA with rungs at 1, 3 and 9.

    Args:
        sampler: Its name.
        study: The database that it goes on from; None for a new one.
        before: Configurations that are there.
        trials: Further ones.
    """
    with tempfile.TemporaryDirectory() as name:
        space, path = read_space(written(Path(name), 9)), Path(name) / "study.db"
        if study is not None:
            shutil.copyfile(study, path)
        plan = schedulers.make("asha", space.min_epochs, space.max_epochs, space.eta)
        search = Search(RECIPE, [], space, plan, sampler, before + trials, 1, 0, Path(name))
        engine = Instant(search, Ledger(f"sqlite:///{path}", "a", space, {}))
        engine.run()
        return [*engine.times, time.perf_counter()]


def searching(configurations: int, epochs: int) -> tuple[float, float, int]:
    """Wall-clock seconds of a search, seconds of its trials in training, and their epochs."""
    with tempfile.TemporaryDirectory() as name, runs_in(Path(name)):
        words = [RECIPE, "--space", str(written(Path(name), epochs)), "--sampler", "random", "--scheduler", "none"]
        asked, rest = tune.read_arguments([*words, "--trials", str(configurations)])
        search, ledger, _ = tune.prepare(asked, rest, RECIPE, RECIPE, Path(name))
        begin = time.perf_counter()
        Engine(search, ledger).run()
        wall = time.perf_counter() - begin
        records = [yaml.safe_load(path.read_text()) for path in sorted(Path(name).glob("trials/*/run.json"))]
    return wall, sum(record["seconds"] for record in records), sum(record["epochs"] for record in records)


@contextmanager
def runs_in(folder: Path) -> Iterator[None]:
    before = os.environ.get("DIVE_RUNS")
    os.environ["DIVE_RUNS"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("DIVE_RUNS")
        if before is not None:
            os.environ["DIVE_RUNS"] = before


def measure(threads: int, repeats: int, say: Callable[[str], None]) -> list[Row]:
    """Trials and epochs a second of each side in each turn."""
    rows: dict[tuple[str, str], Row] = {}

    def add(workload: str, side: str, samples: int, seconds: float) -> None:
        facts = {"workload": workload, "threads": threads, "side": side, "steps": samples, "samples": samples}
        row = rows.setdefault((workload, side), facts | {"rates": []})
        row["rates"].append(samples / seconds)
        say(f"{workload}, {side}: {row['rates'][-1]:.3g} a second")

    with filled(BEFORE) as study:
        for _ in range(repeats):
            for sampler in ("random", "tpe"):
                for side, path in (("ours", study), ("early", None)):
                    times = asking(sampler, path, BEFORE if path else 0, TRIALS)
                    add(f"asking and telling, {sampler}", side, TRIALS, times[-1] - times[0])
    for _ in range(repeats):
        wall, alone, epochs = searching(CONFIGURATIONS, EPOCHS)
        add("a search", "ours", epochs, wall)
        add("a search", "bare", epochs, alone)
    return list(rows.values())
