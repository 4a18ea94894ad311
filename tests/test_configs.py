"""Every recipe: its header says what it is, its config survives a dump, and each verb runs one batch."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

from scripts.front.arguments import resolve
from scripts.front.lightning_cli import DiveCLI
from scripts.front.links import declared_links
from scripts.front.recipes import CONFIGS, PRESETS, Recipe, all_recipes, find_recipe, read_recipe
from tests.presets import EACH_RECIPE
from tests.recipes import build, drawn, params, parser, run_all_verbs, slow_but, small, variants

RECIPES = [pytest.param(recipe, id=recipe.name) for recipe in all_recipes()]
OFFLINE = [recipe.name for recipe in all_recipes() if recipe.offline and "long" not in recipe.header]
#: What a header may say (CONTRIBUTING describes each).
KEYS = {
    *("plan", "section", "data", "folds", "threshold", "ablation", "book", "long"),
    *("small", "needs", "deterministic", "two processes", "presets", "export", "onnx"),
}


# -- headers --------------------------------------------------------------------------------------------------------


def faults(recipe: Recipe) -> Iterator[str]:
    """What a header lacks, and what it says that nobody reads."""
    header = recipe.header
    promise = set() if "long" in header else {"ablation"}
    needed = {"plan", "section", "data"} | (promise if recipe.offline else {"book", "needs"})
    yield from (f"no {key}" for key in sorted(needed) if not header.get(key))
    if not recipe.title:
        yield "no title"
    if recipe.offline and not recipe.threshold and "long" not in header:
        yield "an offline recipe states a number (threshold: metric >= value)"
    if recipe.offline and "needs" in header:
        yield "an offline recipe needs no files"
    yield from (f"unknown key {key}" for key in sorted(set(header) - KEYS))
    for key in ("ablation", "small", "deterministic"):
        words = shlex.split(header.get(key, ""))
        if len(words) % 2 or not all(word.startswith("--") for word in words[::2]):
            yield f"{key} is options and their values"
    for preset, reason in recipe.exempt_presets.items():
        if preset not in EACH_RECIPE or not reason:
            yield "presets: NAME: why the recipe does not run with it; NAME: ..."


def test_headers_say_what_the_recipes_are() -> None:
    assert not {recipe.name: found for recipe in all_recipes() if (found := list(faults(recipe)))}


def test_a_faulty_header_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.front.recipes.CONFIGS", tmp_path)
    header = [
        "plan: 1",
        "section: D2L 3",
        "data: here, offline",
        "ablation: --model.depth",
        "presets: ddp: why",
        "x: y",
    ]
    (tmp_path / "a.yaml").write_text("".join(f"# {line}\n" for line in ["A title", *header]) + "model:\n")
    found = list(faults(read_recipe(tmp_path / "a.yaml")))
    assert [line.split(" (")[0] for line in found] == [
        "an offline recipe states a number",
        "unknown key x",
        "ablation is options and their values",
        "presets: NAME: why the recipe does not run with it; NAME: ...",
    ]


def test_a_long_recipe_needs_no_threshold_and_no_ablation(tmp_path: Path) -> None:
    header = ["plan: 1", "section: D2L 3", "data: here, offline"]
    found = []
    for name, more in (("short", []), ("long", ["long: an hour"])):
        path = tmp_path / f"{name}.yaml"
        path.write_text("".join(f"# {line}\n" for line in ["A title", *header, *more]) + "model:\n")
        found.append([line.split(" (")[0] for line in faults(read_recipe(path))])
    assert found == [["no ablation", "an offline recipe states a number"], []]


def test_a_line_that_is_set_in_goes_on_with_the_value_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.front.recipes.CONFIGS", tmp_path)
    (tmp_path / "a.yaml").write_text(
        "# A title: its second half\n# data: here,\n#   there: offline\n# two processes: why not\nmodel:\n# plan: 3\n"
    )
    recipe = read_recipe(tmp_path / "a.yaml")
    assert recipe.title == "A title: its second half"
    assert recipe.header == {"data": "here, there: offline", "two processes": "why not"}


def test_no_config_writes_the_target_of_a_link() -> None:
    targets = declared_links()
    written = {r.name: set(yaml.safe_load(r.path.read_text())["model"].get("init_args", {})) for r in all_recipes()}
    assert targets and not {name: names & targets for name, names in written.items() if names & targets}


# -- parsing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", slow_but(drawn(1, "dump"), RECIPES))
def test_config_survives_a_dump(recipe: Recipe) -> None:
    config = parser().parse_args(resolve("fit", [recipe.name]).args)
    text = parser().dump(config, skip_unset=True)
    again = parser().parse_string(text)
    assert parser().dump(again, skip_unset=True) == text


# -- running --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", slow_but({r.name for r in all_recipes()} - variants(), params()))
def test_recipe_runs_one_batch_of_each_verb(recipe: Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run_all_verbs(build(recipe.name, monkeypatch, tmp_path, *small(recipe)))


def test_no_config_holds_a_path_of_one_machine() -> None:
    own = re.compile(r"(^|[\s\"'=])/(home|root|opt|work|tmp)/")
    assert own.search("root: /" + "home/me/data")
    assert not [path for path in CONFIGS.rglob("*.yaml") if own.search(path.read_text())]


@pytest.mark.parametrize("preset", sorted(p for folder in PRESETS for p in (CONFIGS / folder).glob("*.yaml")))
def test_preset_parses_with_a_recipe(preset: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if preset.stem in ("gpu", "fp16") and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    if preset.stem == "slurm":  # what srun gives the only task of a job
        for name, value in {"NODEID": "0", "PROCID": "0", "LOCALID": "0", "NTASKS": "1", "JOB_ID": "1"}.items():
            monkeypatch.setenv(f"SLURM_{name}", value)
    command = resolve("fit", ["cnn/lenet", "-c", str(preset), "--trainer.devices", "1"])
    command.verb, command.recipe = "", ""
    monkeypatch.setattr(sys, "argv", ["dive", *command.args])
    monkeypatch.chdir(tmp_path)
    DiveCLI(command, run=False)


# -- what the offline recipes reach --------------------------------------------------------------------------------


def train_and_test(name: str, *extra: str) -> dict[str, float]:
    """Trains a recipe as a person would, in this process, and returns the best checkpoint's test metrics."""
    import json

    from scripts.cli import main
    from scripts.front.runs import newest_run

    torch.set_num_threads(min(2, os.cpu_count() or 1))
    assert main(["fit", name, *extra]) == 0
    assert main(["test", name]) == 0
    return json.loads((newest_run(name) / "run.json").read_text())["metrics"]


def meets_threshold(metrics: dict[str, float], name: str) -> bool:
    threshold = find_recipe(name).threshold
    assert threshold is not None
    metric, sign, value = threshold
    return metrics[metric] >= value if sign == ">=" else metrics[metric] <= value


@pytest.mark.slow
@pytest.mark.parametrize("name", OFFLINE)
def test_offline_recipe_meets_its_threshold(name: str) -> None:
    assert meets_threshold(train_and_test(name), name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OFFLINE)
def test_ablation_misses_the_threshold(name: str) -> None:
    assert not meets_threshold(train_and_test(name, *find_recipe(name).header["ablation"].split()), name)
