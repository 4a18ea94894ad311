"""``dive tune``: its options, and what is wrong in a command in one line, before anything is trained."""

from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from scripts.front.runs import runs_root
from scripts.tune import samplers, schedulers, space
from scripts.verbs import tune
from tests.scripts.tune.test_space import written

PARAMETERS = {"model.optimizer.lr": {"low": 0.001, "high": 0.1, "log": True}}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "which recipe"),
        (["cnn/lenett"], "no recipe 'cnn/lenett': did you mean 'cnn/lenet'"),
        (["cnn/vgg"], "no space ships for cnn/vgg"),
        (["cnn/lenet", "--trails", "3"], "unknown option --trails: did you mean '--trials'"),
        (["cnn/lenet", "--trials", "0"], "--trials 0: give a whole number"),
        (["cnn/lenet", "--trials", "many"], "invalid int value: 'many'"),
        (["cnn/lenet", "--sampler", "best"], "invalid choice: 'best'"),
        (["cnn/lenet", "--resume"], "no study in .* to resume"),
        (["cnn/lenet", "--study", "a/b"], "give a plain name"),
        (["cnn/lenet", "--storage", "sqlite:///x.db"], "--storage needs --study"),
        (["cnn/lenet", "--storage", "x.db", "--study", "a"], "give a URL"),
        (["cnn/lenet", "--trainer.max_epochs", "3"], "is the space's max_epochs"),
        (["cnn/lenet", "--sampler", "grid"], "is a range without steps"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        tune.main(words)
    assert "\n" not in str(error.value)


def test_more_trials_than_the_grid_has_points_are_refused_before_the_first(tmp_path: Path) -> None:
    path = written(tmp_path, {"model.bias": {"choices": [True, False]}})
    words = ["--space", str(path), "--sampler", "grid", "--trials", "3"]
    with pytest.raises(UserError, match="--trials 3: the grid has 2 points, give 2 at most"):
        tune.main(["linear/linear_regression", *words])


def test_data_of_ones_own_are_passed_on_to_the_trials() -> None:
    options = ["--data", "CSVTable", "--data.path", "mine.csv", "-c", "trainer/cpu", "--seed_everything", "3"]
    assert tune.read_arguments(["mlp/mlp", *options, "--jobs", "2"])[1] == options


def test_the_names_of_the_help_are_those_of_the_code() -> None:
    """They are written twice, since the help needs no Optuna."""
    assert tune.SCHEDULERS == schedulers.NAMES and tune.SAMPLERS == samplers.NAMES and tune.SECONDS == space.SECONDS


def test_a_study_of_this_name_is_not_overwritten(tmp_path: Path) -> None:
    folder = tune.study_folder(tmp_path, "a", resume=False)
    with pytest.raises(UserError, match="--resume continues or joins it"):
        tune.study_folder(tmp_path, "a", resume=False)
    assert tune.study_folder(tmp_path, "a", resume=True) == tune.study_folder(tmp_path, None, resume=True) == folder


@pytest.mark.parametrize(
    ("key", "metric", "option", "says"),
    [
        ("model.optimizer.lrr", "val/loss", [], "the space does not fit .*lrr"),
        ("model.optimizer.lr", "val/loss", ["--data.batch_sizes", "8"], "^unknown key data.batch_sizes: did you mean"),
        ("model.optimizer.lr", "val/accuracy", [], "does not log val/accuracy: it logs val/loss"),
    ],
)
def test_what_the_recipe_does_not_have_is_named(
    key: str, metric: str, option: list[str], says: str, tmp_path: Path
) -> None:
    """A study in which no trial has begun takes no name."""
    path = written(tmp_path, {key: PARAMETERS["model.optimizer.lr"]}, metric=metric)
    with pytest.raises(UserError, match=says):
        tune.main(["linear/linear_regression", "--space", str(path), "--trials", "2", "--study", "a", *option])
    assert (runs_root() / "linear/linear_regression/tune/a").exists() == (metric == "val/accuracy")


def test_a_study_that_is_resumed_has_the_space_and_the_options_it_was_begun_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths with spaces too; the command of the report has all of them, as a shell reads them."""
    found: list[Any] = []
    monkeypatch.setattr("scripts.tune.engine.Engine.run", lambda self: found.append(self.search))
    monkeypatch.setattr("scripts.tune.search.check_keys", lambda search: None)
    monkeypatch.setattr("scripts.tune.refit.refit_best", lambda *args: [])
    path = written(tmp_path, {"b": {"choices": [1, 2]}, "a": {"low": 1, "high": 8}})
    begun = [
        "--sampler",
        "random",
        "--scheduler",
        "none",
        "--seed",
        "3",
        "--trials",
        "7",
        "--data.path",
        "my table.csv",
    ]
    assert tune.main(["linear/linear_regression", "--space", str(path), *begun]) == 0
    path.unlink()
    assert tune.main(["linear/linear_regression", "--resume"]) == 0
    first, second = found
    for name in ("recipe", "arguments", "space", "sampler", "count", "seed", "folder"):
        assert getattr(first, name) == getattr(second, name), name
    assert second.arguments == ["--data.path", "my table.csv"] and list(second.space.parameters) == ["b", "a"]
    with pytest.raises(UserError, match="has sampler random, not qmc"):
        tune.main(["linear/linear_regression", "--resume", "--sampler", "qmc"])


def test_more_jobs_than_cores_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scripts.tune.engine.Engine.run", lambda self: None)
    monkeypatch.setattr("scripts.tune.refit.refit_best", lambda *args: [])
    path = written(tmp_path, PARAMETERS)
    assert tune.main(["linear/linear_regression", "--space", str(path), "--jobs", "1000"]) == 0
    assert "--jobs 1000 on" in capsys.readouterr().err
