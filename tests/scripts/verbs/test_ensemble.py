"""`dive ensemble`: every fold is a run, the submission is the mean of their answers, mistakes are one line."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.messages import UserError
from scripts.cli import main
from scripts.front import recipes
from scripts.front.recipes import runs_name
from scripts.front.runs import new_folder
from scripts.verbs import ensemble
from scripts.verbs.ensemble import combine, read_arguments


def test_numbers_learned_as_logarithms_have_the_geometric_mean() -> None:
    parts = [[{"name": "7", "prediction": value}] for value in ("100", "10000")]
    processor = {"target": "price", "id": "Id"}
    heading, (name, answer) = combine(parts, processor | {"log_target": True})
    assert heading == ["Id", "price"] and name == "7" and float(answer) == pytest.approx(1000)
    assert float(combine(parts, processor)[1][1]) == pytest.approx(5050)


def test_the_class_with_the_largest_mean_probability_is_answered() -> None:
    parts = [[{"name": "1", "p(a)": a, "p(b)": b}] for a, b in (("0.6", "0.4"), ("0.6", "0.4"), ("0", "1"))]
    processor = {"target": "kind", "class_names": ["a", "b"]}
    assert combine(parts, processor) == [["name", "kind"], ["1", "b"]]  # two of three would have said a


def test_a_table_that_has_a_prediction_already_is_not_taken_for_ours() -> None:
    rows = [[{"name": "1", "prediction": "9", "predicted prediction": "3"}]]
    assert combine(rows, {"target": "y"})[1] == ["1", "3.0"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which recipe"),
        (["mlp/mlp", "--folds"], "--folds needs a value"),
        (["mlp/mlp", "--folds", "one"], "--folds one: give a whole number"),
        (["mlp/nothing"], "no recipe 'mlp/nothing'"),
    ],
)
def test_a_wrong_command_is_one_line(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_arguments(words)


SIMPLE = {kind: {"metrics": {"test/rmse": 9.0}} for kind in ("chance", "baseline", "trees")}


def test_each_fold_is_a_run_and_the_submission_is_their_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With runs that are made up: the next test makes them."""
    asked = []

    def run_fold(recipe: str, run: Path, arguments: list[str], new: list[str]) -> int:
        asked.append((arguments, new))
        (run / "checkpoints").mkdir(parents=True)
        (run / "config.yaml").write_text("")
        (run / "run.json").write_text(json.dumps({"metrics": {"test/rmse": float(len(asked)), "val/rmse": 0.0}}))
        (run / "processor.json").write_text(json.dumps({"target": "price"}))
        (run / "predictions.csv").write_text(f"name,prediction\n1,{len(asked)}\n2,{10 * len(asked)}\n")
        return 0

    monkeypatch.setattr(ensemble, "run_fold", run_fold)
    monkeypatch.setattr(ensemble, "simple_models", lambda run: SIMPLE)
    new = tmp_path / "x.csv"
    new.touch()
    words = ["ensemble", "mlp/house_prices", "--folds", "3", "--new", str(new)]
    assert main([*words, "--trainer.max_epochs", "2"]) == 0
    fold = ["--trainer.max_epochs", "2", "--data.num_folds", "3", "--data.fold"]
    assert asked == [([*fold, str(k)], ["--data.path", str(new)]) for k in range(3)]
    (folder,) = (tmp_path / "runs/mlp/house_prices/ensemble").iterdir()
    assert (folder / "submission.csv").read_text().split() == ["name,price", "1,2.0", "2,20.0"]
    assert json.loads((folder / "ensemble.json").read_text())["tests"] == [{"test/rmse": float(k)} for k in (1, 2, 3)]
    told = "test/rmse 2.0000 ± 1.0000 over 3 folds, chance 9.0000, baseline 9.0000, trees 9.0000"
    assert told in capsys.readouterr().out


def test_each_fold_is_tested_and_predicted_by_the_run_that_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever other run of the recipe began meanwhile."""
    asked: list[list[str]] = []

    def dive(words: list[str]) -> int:
        asked.append(words)
        if words[0] == "fit":
            asked[-1] = ["fit", os.environ["DIVE_RUN_DIR"]]
            new_run_of_another()
        else:
            assert "DIVE_RUN_DIR" not in os.environ
        return 0

    def new_run_of_another() -> None:
        (new_folder(tmp_path / "runs/mlp/mlp") / "config.yaml").write_text("")

    monkeypatch.setattr("scripts.cli.main", dive)
    folders = [new_folder(tmp_path / "runs/mlp/mlp") for _ in range(2)]
    for folder in folders:
        assert ensemble.run_fold("mlp/mlp", folder, ["--data.fold", "0"], ["--data.path", "x"]) == 0
        mine = ["mlp/mlp", "--run", str(folder)]
        assert asked[-3:] == [["fit", str(folder)], ["test", *mine], ["predict", *mine, "--data.path", "x"]]


def test_options_are_given_in_both_forms() -> None:
    given = read_arguments(["mlp/mlp", "--folds=3", "--new=x.csv", "--data.path", "y"])
    assert given == (3, ["--data.path", "x.csv"], "mlp/mlp", ["--data.path", "y"])


def test_a_fold_that_fails_ends_it_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensemble, "run_fold", lambda *words: 130)
    assert main(["ensemble", "mlp/house_prices"]) == 130


@pytest.mark.slow
def test_an_ensemble_over_two_folds_from_a_table_to_a_submission(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    size = random.normal(100, 20, 60)
    table = pd.DataFrame({"size": size, "town": random.choice(["Rome", "Oslo"], 60), "price": 3 * size + 100})
    table.to_csv(tmp_path / "old.csv", index=False)
    table[["size", "town"]].iloc[:4].to_csv(tmp_path / "new.csv", index=False)
    words = ["--folds", "2", "--new", str(tmp_path / "new.csv"), "--data", "CSVTable", "--trainer.max_epochs", "1"]
    words += ["--data.path", str(tmp_path / "old.csv"), "--data.target", "price"]
    assert main(["ensemble", "mlp/mlp_regression", *words]) == 0
    (folder,) = (tmp_path / "runs/mlp/mlp_regression/ensemble").iterdir()
    rows = list(csv.reader((folder / "submission.csv").open()))
    assert rows[0] == ["name", "price"] and [row[0] for row in rows[1:]] == ["1", "2", "3", "4"]
    summary = json.loads((folder / "ensemble.json").read_text())
    singles = [pd.read_csv(Path(run) / "predictions.csv")["prediction"] for run in summary["runs"]]
    np.testing.assert_allclose([float(row[1]) for row in rows[1:]], (singles[0] + singles[1]) / 2, rtol=1e-6)
    assert set(summary["simple"][0]) == {"chance", "baseline", "trees"}


def test_data_without_folds_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ensemble", "linear/linear_regression"]) == 2
    assert "not divided into folds: `dive ensemble linear/linear_regression --kind seeds`" in capsys.readouterr().err


def test_a_new_table_that_is_not_there_is_said_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensemble, "run_fold", lambda *words: pytest.fail("trained first"))
    assert main(["ensemble", "mlp/mlp", "--new", "nothere.csv"]) == 2


def test_a_column_of_the_table_names_the_rows() -> None:
    parts = [[{"name": "1", "Id": "1481", "prediction": "3.0"}]] * 2
    assert combine(parts, {"target": "y", "id": "Id"}) == [["Id", "y"], ["1481", "3.0"]]
    assert ensemble.take_option(["a", "--id", "Id", "b"], "--id") == (["a", "b"], "Id")


def test_a_recipe_of_ones_own_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensemble, "run_fold", lambda recipe, *words: 7 if recipe == str(own) else 1)
    own = tmp_path / "mine.yaml"
    own.write_text((recipes.CONFIGS / "mlp/house_prices.yaml").read_text())
    assert main(["ensemble", str(own)]) == 7
    assert main(["ensemble", str(tmp_path / "gone.yaml")]) == 2
    assert runs_name(str(own)) == "own/mine" and runs_name("lenet") == "cnn/lenet"
