"""Procedures over several trainings: what each trains on, from where, and for how long."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks.metrics_csv import read_metrics
from common.messages import UserError
from scripts.cli import main
from scripts.front import members
from scripts.front.members import measured

FAST = ["--data.batch_size", "256", "--trainer.max_epochs", "2"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mlp/mlp", "--kind", "seedz"], "did you mean 'seeds'"),
        (["mlp/mlp", "--kind", "seeds", "--members", "1"], "--members 1: an ensemble has at least 2"),
        (["mlp/mlp", "--kind", "retrain", "--members", "3"], "it trains twice"),
        (["mlp/mlp", "--kind", "bagging", "--folds", "3"], "--folds is for the folds of a table"),
        (["mlp/mlp", "--members", "3"], "--members is for --kind"),
        (["--kind", "seeds"], "which recipe"),
        (
            ["rl/ppo", "--kind", "bagging"],
            "--kind bagging is for classifiers and regressors: LitPPO of rl/ppo is neither",
        ),
    ],
)
def test_a_wrong_command_is_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ensemble", *words]) == 2
    assert says in capsys.readouterr().err


def test_the_mean_of_probabilities_is_measured_as_each_member_is() -> None:
    y = torch.tensor([0, 1, 1])
    one = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    found = measured(one, y, True)
    assert found["test/acc"] == pytest.approx(2 / 3)
    assert found["test/loss"] == pytest.approx(-sum(math.log(p) for p in (0.9, 0.4, 0.8)) / 3)
    assert measured(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0]), False) == {"test/mse": 2.5}


def test_the_training_loss_of_the_best_epoch_is_the_goal(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,step,train/loss,val/loss\n0,9,0.9,\n0,9,,0.8\n1,19,0.5,\n1,19,,0.6\n")
    assert members.train_loss(tmp_path, 1) == 0.5
    with pytest.raises(UserError, match="take --kind retrain"):
        members.train_loss(tmp_path, 7)


def summary(folder: Path) -> dict[str, Any]:
    (path,) = (folder / "runs").rglob("ensemble.json")
    return dict(json.loads(path.read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["seeds", "bagging", "snapshots"])
def test_an_ensemble_is_better_than_its_members(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Jensen its log-likelihood is at least their mean; members differ."""
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    assert main(["ensemble", "mlp/mlp", "--kind", kind, "--members", "2", *FAST]) == 0
    found = summary(tmp_path)
    losses = [test["test/loss"] for test in found["tests"]]
    assert losses[0] != losses[1] and found["ensemble"]["test/loss"] <= sum(losses) / 2 + 1e-6
    assert found["ensemble"]["test/acc"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["retrain", "continue"])
def test_training_again_takes_all_rows(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    assert main(["ensemble", "mlp/mlp", "--kind", kind, *FAST, "--trainer.max_epochs", "3"]) == 0
    first, second = (Path(path).parents[1] for path in summary(tmp_path)["members"])
    saved = [
        torch.load(run / "checkpoints/last.ckpt", map_location="cpu", weights_only=True) for run in (first, second)
    ]
    steps = [checkpoint["global_step"] for checkpoint in saved]
    assert steps[0] == 3 * 14  # 3,500 digits
    if kind == "retrain":
        assert steps[1] == steps[0], "as many steps as the best weights had"
    else:
        rows = read_metrics(second / "metrics.csv")
        added = (steps[1] - steps[0]) / 16  # 4,000 digits
        assert added == int(added) >= 1
        goal = members.train_loss(first, 2)
        losses = [row["val/loss"] for row in rows if "val/loss" in row]
        assert losses[-1] <= goal or added == 3
        assert all(loss > goal for loss in losses[-int(added) : -1])
