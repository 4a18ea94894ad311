"""Folds of a recipe: their arguments, and means in which every fold counts once."""

from pathlib import Path

import pytest

from common.messages import UserError
from scripts.evidence.folds import fold_arguments, mean_baselines, mean_row
from scripts.front.recipes import Recipe, find_recipe


def recipe(folds: str | None) -> Recipe:
    return Recipe("toy/one", Path("toy/one.yaml"), header={} if folds is None else {"folds": folds})


def test_a_recipe_without_folds_runs_once_with_no_further_arguments() -> None:
    assert fold_arguments(recipe(None)) == [[]]


def test_each_fold_has_its_arguments() -> None:
    found = fold_arguments(recipe("3"))
    assert found[2] == ["--data.num_folds", "3", "--data.fold", "2"] and len(found) == 3
    assert len(fold_arguments(find_recipe("mlp/house_prices"))) == 5


@pytest.mark.parametrize("text", ["1", "five"])
def test_a_number_of_folds_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="folds is"):
        fold_arguments(recipe(text))


def test_a_seeds_row_is_the_mean_of_its_folds_and_keeps_them() -> None:
    rows = [
        {
            "seed": 1,
            "seconds": s,
            "cpu_seconds": s,
            "epochs": 2,
            "samples_per_second": None,
            "parameters": 9,
            "metrics": {"test/rmse": m},
        }
        for s, m in ((1.0, 0.1), (2.5, 0.3))
    ]
    row = mean_row(rows)
    assert row["metrics"] == {"test/rmse": pytest.approx(0.2)} and row["seconds"] == 3.5 and row["epochs"] == 4
    assert row["folds"] == [{"test/rmse": 0.1}, {"test/rmse": 0.3}] and row["seed"] == 1
    assert mean_row(rows[:1]) is rows[0]


def test_simple_baselines_are_means_too() -> None:
    parts = [{"chance": {"what": "the mean", "metrics": {"test/rmse": m}}} for m in (1.0, 2.0)]
    assert mean_baselines(parts)["chance"] == {"what": "the mean, mean of 2 folds", "metrics": {"test/rmse": 1.5}}
    assert mean_baselines([{}]) == {}
