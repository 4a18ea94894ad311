"""Every recipe: the gradients of two processes are those of one process on the same global batch. One of eight topics
is quick.
"""

from collections.abc import Callable, Iterator

import pytest

from scripts.front.recipes import Recipe, all_recipes
from tests.distributed.pair import Pair
from tests.recipes import drawn, params, slow_but

#: Recipes whose header says why two processes cannot equal one.
EXEMPT = [recipe for recipe in all_recipes() if "two processes" in recipe.header]
EQUAL = [recipe for recipe in all_recipes() if "two processes" not in recipe.header]
QUICK = drawn(1, "gradients", lambda recipe: "two processes" not in recipe.header, topics=8)
QUICK |= drawn(1, "gradients", lambda recipe: "two processes" in recipe.header, topics=2)

Record = Callable[[str, object], None]


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made = Pair(tmp_path_factory.mktemp("pair"))
    yield made
    made.end()


@pytest.mark.parametrize("recipe", slow_but(QUICK, params(EQUAL)))
def test_two_processes_have_the_gradients_of_one(recipe: Recipe, pair: Pair, record_property: Record) -> None:
    wrong, seconds = pair.compare(recipe.name)
    record_property("cpu_seconds", seconds)
    assert not wrong


@pytest.mark.parametrize("recipe", slow_but(QUICK, params(EXEMPT)))
def test_an_exemption_is_of_a_recipe_that_differs(recipe: Recipe, pair: Pair, record_property: Record) -> None:
    wrong, seconds = pair.compare(recipe.name)
    record_property("cpu_seconds", seconds)
    assert wrong, f"{recipe.name} needs no exemption"


def test_gradients_that_differ_and_a_process_that_dies_are_seen(pair: Pair) -> None:
    assert "no recipe 'cnn/nowhere'" in pair.compare("cnn/nowhere")[0]
    assert pair.compare("linear/weight_decay")[0] == ""  # by new processes
    pair.processes[1].kill()
    assert pair.compare("linear/weight_decay")[0]
    masks = ["--model.num_masks", "2"]  # which each process draws by itself: what `deterministic:` is for
    assert "gradients differ" in pair.compare("audio/mel_cnn", *masks)[0]
