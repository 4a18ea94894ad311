"""The study plan: one file, with which the folders, the recipes' headers and `dive list` agree."""

import pytest

from scripts.cli import main
from scripts.evidence.results import load
from scripts.front.plan import items, topic_rank, topics
from scripts.front.recipes import CONFIGS, all_recipes, find_recipe

ROOT = CONFIGS.parent
KINDS = {"functional", "layers", "tasks"}  # folders of lit_models that are no topics


def test_the_plan_has_the_twenty_items_in_order() -> None:
    assert [item.number for item in items()] == list(range(1, 21))
    assert items()[6].title == "computational performance (AlexNet's two GPUs, cuda-convnet)"
    assert [item.number for item in items() if item.title.startswith("final project")] == [9, 11, 15]


def test_every_folder_of_models_is_a_topic_of_the_plan_and_has_an_item() -> None:
    folders = {p.parent.name for p in (ROOT / "lit_models").glob("*/__init__.py")} - KINDS
    assert folders <= set(topics())
    assert {topic for item in items() for topic in item.topics} == set(topics())
    assert len(set(topics())) == len(topics())


def test_a_recipes_plan_number_is_one_of_its_topics() -> None:
    pairs = {(topic, str(item.number)) for item in items() for topic in item.topics}
    assert not [recipe.name for recipe in all_recipes() if (recipe.topic, recipe.header["plan"]) not in pairs]


def test_a_headline_is_a_recipe_of_its_item_with_a_metric_that_is_measured() -> None:
    for item in items():
        for line in item.headlines:
            assert bool(line.recipe and line.metric) != bool(line.command) and line.says
            if line.recipe:
                recipe = find_recipe(line.recipe)
                result = load(recipe)
                assert recipe.topic in item.topics and (result is None or line.metric in result["metrics"])


def test_unknown_topics_come_last() -> None:
    assert sorted(["zoo", "rnn", "linear", "ant"], key=topic_rank) == ["linear", "rnn", "ant", "zoo"]


def test_list_groups_by_item_with_a_line_for_each_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    heads = [int(line.partition(".")[0]) for line in lines if line[:1].isdigit()]
    assert heads == sorted(heads) and "12. attention and transformers" in lines and "not in the plan" not in out
    assert [line.split()[0] for line in lines if line.startswith("  ")].count("cnn/lenet") == 1
    assert sum(line.startswith("  ") for line in lines) == len(all_recipes()) and max(map(len, lines)) <= 132


@pytest.mark.parametrize(("word", "names"), [("audio", {"audio"}), ("6", {"convolution"})])
def test_list_of_a_topic_or_an_item(word: str, names: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", word]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split("/")[0].strip() for line in lines if line.startswith("  ")} == names
