"""Every recipe: the gradients of two processes are those of one process on the same global batch."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.front.recipes import Recipe, all_recipes
from tests.distributed.recipes import check
from tests.recipes import params
from tests.warm import free_port, start, wait

#: Recipes whose header says why two processes cannot equal one.
EXEMPT = [recipe for recipe in all_recipes() if "two processes" in recipe.header]
EQUAL = [recipe for recipe in all_recipes() if "two processes" not in recipe.header]


Record = Callable[[str, object], None]


def exit_code(recipe: Recipe, folder: Path, record_property: Record) -> int:
    """Of the comparison, in a process of its own: one recipe leaves nothing behind for the next."""
    (code,) = wait(start(check, recipe.name, free_port(), folder / "cpu", log=folder / "log"))
    record_property("cpu_seconds", (folder / "cpu").read_text())
    return code


@pytest.mark.parametrize("recipe", params(EQUAL))
def test_two_processes_have_the_gradients_of_one(recipe: Recipe, tmp_path: Path, record_property: Record) -> None:
    assert exit_code(recipe, tmp_path, record_property) == 0, (tmp_path / "log").read_text()[-2000:]


@pytest.mark.parametrize("recipe", params(EXEMPT))
def test_an_exemption_is_of_a_recipe_that_differs(recipe: Recipe, tmp_path: Path, record_property: Record) -> None:
    assert exit_code(recipe, tmp_path, record_property) != 0, f"{recipe.name} needs no exemption"
