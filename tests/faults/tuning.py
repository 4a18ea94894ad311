"""Searches that die at a chosen moment, and what is compared after they were continued."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer
from optuna.trial import FrozenTrial

from callbacks.metrics_csv import read_metrics
from scripts.front.signals import ending_on_signals
from scripts.tune.engine import Engine
from scripts.tune.ledger import Ledger
from scripts.tune.space import read_space
from scripts.verbs import tune
from tests.scripts.tune.test_space import written

RECIPE = "linear/linear_regression"
PARAMETERS = {"model.optimizer.lr": {"low": 0.0003, "high": 0.03, "log": True}}
FACTS = {"metric": "val/loss", "mode": "min", "max_epochs": 3, "eta": 3}
COMMAND = ["--sampler", "random", "--scheduler", "asha", "--trials", "3", "--refit", "0", "--data.batch_size", "400"]


class Killed(BaseException):
    """In the place of kill -9, which would end the test."""


def words(folder: Path, *more: str) -> list[str]:
    """The arguments of ``dive tune`` for a study ``a`` of three trials, of which ASHA promotes one."""
    return [RECIPE, "--space", str(written(folder, PARAMETERS, **FACTS)), "--study", "a", *COMMAND, *more]


def search(folder: Path, *more: str) -> None:
    """A search in this process, whose trials are processes as ever."""
    with pytest.MonkeyPatch.context() as patch, ending_on_signals():
        patch.setenv("DIVE_RUNS", str(folder / "runs"))
        patch.setenv("OMP_NUM_THREADS", "1")
        assert tune.main(words(folder, *more)) == 0


@contextmanager
def dying(method: str, count: int, before: bool) -> Iterator[None]:
    """A search in it is gone at its ``count``-th call of a method of the ledger: nothing more is written, its trials'
    pipes are closed, and its process is one that does not live.
    """
    original, calls = getattr(Ledger, method), []

    def patched(self: Ledger, *args: Any, **kwargs: Any) -> Any:
        calls.append(method)
        if before and len(calls) == count:
            raise Killed
        result = original(self, *args, **kwargs)
        if len(calls) == count:
            raise Killed
        return result

    def gone(self: Engine) -> None:
        for job in self.running.values():
            job.pipe.close()
            job.life.close()
            job.process.join()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, method, patched)
        patch.setattr(Engine, "stop", gone)
        patch.setattr(tune, "tell", lambda *args: None)
        patch.setattr("scripts.tune.ledger.started", lambda pid: "0")  # as this process names itself
        with pytest.raises(Killed):
            yield


def really_dying(method: str, count: int, *command: str) -> None:
    """``dive tune COMMAND`` in a process of its own that kills itself after its ``count``-th call of a method."""
    original, calls = getattr(Ledger, method), []

    def patched(self: Ledger, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        calls.append(method)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(Ledger, method, patched)
    from tests.warm import dive

    dive("tune", *command)


def trials(folder: Path, url: str = "", name: str = "a") -> dict[int, FrozenTrial]:
    """The trials of a study by draw; each draw once, each curve whole, each epoch in the run's metrics.csv once."""
    study = folder / "runs" / RECIPE / "tune" / name
    space = read_space(written(folder, PARAMETERS, **FACTS))
    stored = f"{RECIPE} {name}" if url else name
    ledger = Ledger(url or f"sqlite:///{study / 'study.db'}", stored, space, {})
    found = ledger.storage.get_all_trials(ledger.study)
    assert sorted(trial.user_attrs["draw"] for trial in found) == list(range(len(found))), "one twice"
    for trial in found:
        epochs = sorted(trial.intermediate_values)
        assert epochs == list(range(1, len(epochs) + 1))
        rows = [row for row in read_metrics(study / trial.user_attrs["run"] / "metrics.csv") if "val/loss" in row]
        assert [row["epoch"] + 1 for row in rows] == epochs, "an epoch lost, or trained twice"
    return {trial.user_attrs["draw"]: trial for trial in found}


def outcome(folder: Path, url: str = "", name: str = "a") -> dict[int, tuple[dict[str, Any], dict[int, float], bool]]:
    """Parameters, curve and whether it is complete, of each trial."""
    return {
        draw: (trial.params, trial.intermediate_values, trial.state.is_finished())
        for draw, trial in trials(folder, url, name).items()
    }


class KillOnce(Callback):
    """Kills its process in the second epoch, if it has not done so before.

    Args:
        flag: A file that says that it has.
        always: Whether it does it again and again.
    """

    def __init__(self, flag: str, always: bool = False) -> None:
        self.flag, self.always = Path(flag), always

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch == 1 and (self.always or not self.flag.exists()):
            self.flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
