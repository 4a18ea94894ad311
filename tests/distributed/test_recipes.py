"""Every recipe: the gradients of two processes are those of one process on the same global batch."""

from pathlib import Path

import pytest

from scripts.front.recipes import all_recipes
from tests.distributed.recipes import check
from tests.not_at_hand import NOT_AT_HAND
from tests.warm import free_port, start, wait

#: Recipes that cannot be equal, and why. The only list of exemptions.
EXEMPT: dict[str, str] = {}

RECIPES = [
    pytest.param(recipe.name, marks=[] if recipe.offline else [pytest.mark.realdata])
    for recipe in all_recipes()
    if recipe.name not in {*EXEMPT, *NOT_AT_HAND}
]


@pytest.mark.parametrize("name", RECIPES)
def test_two_processes_have_the_gradients_of_one(name: str, tmp_path: Path) -> None:
    assert wait(start(check, name, free_port(), log=tmp_path / "log")) == [0], (tmp_path / "log").read_text()[-2000:]


@pytest.mark.parametrize("name", sorted(EXEMPT))
def test_an_exemption_is_of_a_recipe_that_differs(name: str, tmp_path: Path) -> None:
    assert name in {recipe.name for recipe in all_recipes()}
    assert wait(start(check, name, free_port(), log=tmp_path / "log")) != [0], f"{name} needs no exemption"
