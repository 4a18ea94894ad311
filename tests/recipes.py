"""What the tests must know of each recipe, out of its own header: small sizes, the files it needs, its exemptions."""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from scripts.recipes import Recipe, all_recipes

#: What makes a batch of any recipe small; the header's ``small`` comes after it and wins.
SMALL = ["--data.batch_size", "8", "--data.eval_batch_size", "8"]


def small(recipe: Recipe) -> list[str]:
    """Arguments with which a batch of each verb takes a second."""
    return [*SMALL, *shlex.split(recipe.head.get("small", ""))]


def deterministic(recipe: Recipe) -> list[str]:
    """The same, and arguments that switch off what draws random numbers by itself."""
    return [*small(recipe), *shlex.split(recipe.head.get("deterministic", ""))]


def missing(recipe: Recipe) -> list[str]:
    """The files and folders that a recipe needs and that do not lie under DIVE_DATA."""
    root = Path(os.environ.get("DIVE_DATA") or "/nonexistent")
    return [name for name in recipe.head.get("needs", "").split() if not (root / name).exists()]


def params(recipes: Iterable[Recipe] | None = None) -> list[Any]:
    """The recipes as parameters of a test: those on public data are marked, and skipped where their files are not."""
    found = []
    for recipe in all_recipes() if recipes is None else recipes:
        marks = [] if recipe.offline else [pytest.mark.public]
        if lacks := missing(recipe):
            marks.append(pytest.mark.skip(reason=f"DIVE_DATA has no {', '.join(lacks)}"))
        found.append(pytest.param(recipe, id=recipe.name, marks=marks))
    return found
