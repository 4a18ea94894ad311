"""Searches of real trials: failures are recorded, a pause changes nothing, and what is refitted is tested."""

import json
from pathlib import Path

import pytest

from callbacks.metrics_csv import read_metrics
from common.messages import UserError
from scripts.cli import main
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
