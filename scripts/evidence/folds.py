"""Recipes with ``folds: 5`` in the header are measured once per fold of their data; a seed's number is their mean."""

from statistics import mean
from typing import Any

from common.messages import UserError
from scripts.front.recipes import Recipe


def fold_arguments(recipe: Recipe) -> list[list[str]]:
    """The arguments that choose each fold; one empty list for a recipe without folds.

    Raises:
        UserError: The header's ``folds`` is not a number of folds.
    """
    text = recipe.header.get("folds", "")
    if not text:
        return [[]]
    if not text.isdigit() or int(text) < 2:
        raise UserError(f"{recipe.path}: folds is {text!r}: give a whole number of at least 2")
    return [["--data.num_folds", text, "--data.fold", str(fold)] for fold in range(int(text))]


def mean_row(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One seed's row from the rows of its folds: the metrics' means and every fold's; seconds and epochs are summed."""
    if len(rows) == 1:
        return rows[0]
    rates = [row["samples_per_second"] for row in rows if row["samples_per_second"]]
    return {
        **rows[0],
        **{name: round(sum(row[name] for row in rows), 2) for name in ("seconds", "cpu_seconds")},
        "epochs": sum(row["epochs"] for row in rows),
        "samples_per_second": round(mean(rates), 1) if rates else None,
        "metrics": mean_metrics([row["metrics"] for row in rows]),
        "folds": [row["metrics"] for row in rows],
    }


def mean_baselines(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Chance and baselines (``scripts/front/baselines.py``) from those of the folds."""
    if len(results) == 1:
        return results[0]
    return {
        kind: {
            "what": f"{results[0][kind]['what']}, mean of {len(results)} folds",
            "metrics": mean_metrics([result[kind]["metrics"] for result in results]),
        }
        for kind in results[0]
    }


def mean_metrics(parts: list[dict[str, float]]) -> dict[str, float]:
    return {name: mean(part[name] for part in parts) for name in parts[0]}
