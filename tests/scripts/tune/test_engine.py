"""Searches of real trials: failures are recorded, a pause changes nothing, and what is refitted is tested.

Without training: what the engine does with a trial that is stopped, was left, or is still saving.
"""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest
from optuna.trial import FrozenTrial, TrialState

from callbacks.metrics_csv import read_metrics
from common.messages import UserError
from scripts.cli import main
from scripts.tune import refit
from scripts.tune.engine import Engine
from scripts.tune.ledger import SIGN_SECONDS, Ledger
from scripts.tune.schedulers import make
from scripts.tune.search import Running, Search
from scripts.tune.space import read_space
from scripts.verbs import tune
from tests.faults.tuning import RECIPE
from tests.scripts.tune.test_space import written

SMALL = ["--refit", "0", "--data.batch_size", "400", "--study", "a"]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path / "runs" / RECIPE / "tune/a"


def test_a_trial_that_diverges_is_recorded_and_the_search_goes_on(tmp_path: Path, runs: Path) -> None:
    """The rate is so large that the loss overflows in the first epoch; the best is refitted and tested."""
    space = written(tmp_path, {"model.optimizer.lr": {"choices": [0.03, 1e30]}}, max_epochs=1)
    words = ["--space", str(space), "--sampler", "grid", "--scheduler", "none", *SMALL, "--jobs", "2", "--refit", "1"]
    assert tune.main([RECIPE, *words]) == 0
    report = json.loads((runs / "report.json").read_text())
    assert report["trials"] == "2 trials: 1 complete, 1 failed"
    assert "loss is inf" in (runs / "trials.csv").read_text()
    (test,) = report["tests"]
    assert test["seed"] == 1 and test["test/rmse"] > 0
    record = json.loads((runs / "trials/0000/run.json").read_text())
    assert not any(name.startswith("test/") for name in record["metrics"]), "the test split was used in the search"


@pytest.mark.slow
def test_when_all_fail_the_reason_is_said(tmp_path: Path, runs: Path) -> None:
    space = written(tmp_path, {"model.optimizer.lr": {"choices": [1e30, 2e30]}}, max_epochs=1)
    with pytest.raises(UserError, match="all trials failed, the last one with: loss is inf"):
        tune.main([RECIPE, "--space", str(space), "--sampler", "grid", "--scheduler", "none", *SMALL])


@pytest.mark.slow
def test_a_trial_that_paused_twice_has_the_curve_of_one_that_ran_through(tmp_path: Path, runs: Path) -> None:
    """With a schedule over the whole training, which a shorter training would have shortened."""
    space = written(tmp_path, {"model.optimizer.lr": {"low": 0.01, "high": 0.03}}, max_epochs=4, eta=2)
    cosine = ["--model.lr_scheduler", "lit_models.tasks.schedules.Cosine"]
    words = ["--space", str(space), "--sampler", "random", "--scheduler", "halving", "--trials", "4", *SMALL, *cosine]
    assert tune.main([RECIPE, *words]) == 0
    best = json.loads((runs / "report.json").read_text())["best"]
    curve = read_metrics(runs / f"trials/{best['trial']:04d}/metrics.csv")
    rate = str(best["parameters"]["model.optimizer.lr"])
    arguments = ["--data.batch_size", "400", *cosine, "--trainer.max_epochs", "4", "--model.optimizer.lr", rate]
    assert main(["fit", RECIPE, *arguments]) == 0
    (other,) = (tmp_path / "runs" / RECIPE).glob("2*")
    whole = read_metrics(other / "metrics.csv")
    one, two = ([row["val/loss"] for row in rows if "val/loss" in row] for rows in (curve, whole))
    assert one == two and len(one) == 4


# -- without training ----------------------------------------------------------------------------------------------


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Of three trials, two at a time, under ASHA with rungs at epochs 1, 3 and 9."""
    space = read_space(written(tmp_path, {"lr": {"low": 0.001, "high": 1.0}}))
    ledger = Ledger(f"sqlite:///{tmp_path / 'study.db'}", "a", space, {})
    return Engine(Search("x/y", [], space, make("asha", 1, 9, 3), "random", 3, 2, 0, tmp_path), ledger)


def trained(ledger: Ledger, draw: int, epochs: int, released: bool = True) -> FrozenTrial:
    """A trial that this process has trained for so many epochs; the lower its number, the better."""
    assert ledger.claim(draw, 0, epochs)
    trial = ledger.begin(draw, {"lr": 0.1 * (draw + 1)}, f"trials/{draw:04d}")
    for epoch in range(1, epochs + 1):
        ledger.report(trial, epoch, float(draw))
    if released:
        ledger.note(trial, "released", 0)
    return ledger.view().trials[draw]


@pytest.mark.parametrize(
    ("state", "error", "kept"),
    [
        (TrialState.COMPLETE, "", TrialState.COMPLETE),
        (TrialState.PRUNED, "", TrialState.PRUNED),
        (TrialState.FAIL, "loss is inf", TrialState.FAIL),
        (TrialState.FAIL, "cannot write x", TrialState.RUNNING),  # the disk is full: it continues when there is room
        (TrialState.RUNNING, "", TrialState.RUNNING),
    ],
)
def test_a_search_that_is_stopped_keeps_what_is_decided(
    state: TrialState, error: str, kept: TrialState, engine: Engine
) -> None:
    trial = trained(engine.ledger, 0, 1, released=False)
    value = None if error else 0.5
    engine.running[0] = Running(trial, 0, 1, Mock(), Mock(), Mock(), state, value, error)
    engine.stop()
    found = engine.ledger.view().trials[0]
    assert (found.state, found.user_attrs.get("error")) == (kept, error if kept == TrialState.FAIL else None)
    assert ("released" in found.user_attrs) == (state == TrialState.RUNNING) and not engine.running


def test_a_trial_that_was_trained_to_its_end_and_left_is_complete(engine: Engine) -> None:
    """Its process was killed after the last value, before it said that this was the end."""
    for draw in range(3):
        trained(engine.ledger, draw, 9)
    engine.run()
    found = engine.ledger.view().trials
    assert [(t.state, t.value) for t in found.values()] == [(TrialState.COMPLETE, float(draw)) for draw in range(3)]


def test_a_trial_that_is_still_saving_is_not_promoted(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process would be forgotten, and killed before the checkpoint is whole."""
    saving, *_ = (trained(engine.ledger, draw, 1, released=draw > 0) for draw in range(3))
    engine.running[0] = Running(saving, 0, 1, Mock(), Mock(), Mock())
    monkeypatch.setattr(engine, "begin", lambda job, view: pytest.fail(f"{job.number} begins"))
    engine.fill()
    engine.running.clear()
    with pytest.raises(pytest.fail.Exception, match="0 begins"):
        engine.fill()


def test_a_refit_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For 90 seconds without one, processes on other machines take it for gone, and refit, too."""
    forks, ledger = Mock(), Mock()
    forks.Pipe.return_value = Mock(), Mock()
    process = forks.Process.return_value
    process.exitcode, process.is_alive.side_effect = 0, [True, True, False]
    monkeypatch.setattr(refit, "FORKS", forks)
    refit.run(["fit"], tmp_path, ledger)
    assert ledger.sign.call_count == 2 and process.join.call_args_list[0].args == (SIGN_SECONDS,)
