"""What the tests must know of each recipe, out of its own header, and how a test builds and runs one."""

import os
import shlex
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import torch
import yaml

from scripts.front.arguments import resolve
from scripts.front.lightning_cli import DiveCLI
from scripts.front.recipes import Recipe, all_recipes

#: What makes a batch of any recipe small; the header's ``small`` comes after it and wins.
SMALL = ["--data.batch_size", "8", "--data.eval_batch_size", "8"]


def small(recipe: Recipe) -> list[str]:
    """Arguments with which a batch of each verb takes a second."""
    return [*SMALL, *shlex.split(recipe.header.get("small", ""))]


def deterministic(recipe: Recipe) -> list[str]:
    """The same, and arguments that switch off what draws random numbers by itself."""
    return [*small(recipe), *shlex.split(recipe.header.get("deterministic", ""))]


def missing(recipe: Recipe) -> list[str]:
    """The files and folders that a recipe needs and that do not lie under DIVE_DATA."""
    root = Path(os.environ.get("DIVE_DATA") or "/nonexistent")
    return [name for name in recipe.header.get("needs", "").split() if not (root / name).exists()]


def drawn(
    count: int, salt: str = "", can: Callable[[Recipe], bool] = lambda recipe: True, topics: int = 1000
) -> set[str]:
    """The recipes of each topic that a walk takes quickly; it is slow with the others.

    They are drawn by their names, so that each walk draws others; recipes that need no ``small:`` in their header cost
    little and come first.

    Args:
        count: How many offline recipes of each topic.
        salt: What the walk is called.
        can: Whether the walk takes a recipe.
        topics: Of how many topics, drawn by their names too: for a walk that takes ten seconds a recipe.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for recipe in sorted(all_recipes(), key=lambda r: ("small" in r.header, crc32(f"{salt} {r.name}".encode()))):
        if recipe.offline and can(recipe) and len(found[recipe.topic]) < count:
            found[recipe.topic].append(recipe.name)
    some = sorted(found, key=lambda topic: crc32(f"{salt} {topic}".encode()))[:topics]
    return {name for topic in some for name in found[topic]}


@cache
def variants() -> frozenset[str]:
    """The recipes whose model and data are those of an earlier offline recipe, with other numbers."""
    seen: set[tuple[str, str]] = set()
    found = []
    for recipe in sorted(all_recipes(), key=lambda r: not r.offline):
        config = yaml.safe_load(recipe.path.read_text(encoding="utf-8"))
        pair = (config["model"]["class_path"], config["data"]["class_path"])
        found += [recipe.name] if pair in seen else []
        seen.add(pair)
    return frozenset(found)


def slow_but(quick: Iterable[str], parameters: Iterable[Any]) -> list[Any]:
    """Parameters of a test, those marked slow whose id is not among the quick ones."""
    names = set(quick)
    return [
        p if p.id in names else pytest.param(*p.values, id=p.id, marks=[*p.marks, pytest.mark.slow]) for p in parameters
    ]


def params(recipes: Iterable[Recipe] | None = None) -> list[Any]:
    """The recipes as parameters of a test: those on public data are marked, and skipped where their files are not."""
    found = []
    for recipe in all_recipes() if recipes is None else recipes:
        marks = [] if recipe.offline else [pytest.mark.public]
        if lacks := missing(recipe):
            marks.append(pytest.mark.skip(reason=f"DIVE_DATA has no {', '.join(lacks)}"))
        found.append(pytest.param(recipe, id=recipe.name, marks=marks))
    return found


class ParserAlone(DiveCLI):
    """The command's parser, without objects."""

    def instantiate_classes(self) -> None:
        pass

    after_instantiate_classes = before_instantiate_classes = instantiate_classes


@cache
def parser() -> Any:
    """The parser of all recipes: making it takes as long as parsing one."""
    command = resolve("fit", ["cnn/lenet"])
    command.verb, command.recipe = "", ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["dive", *command.args])
        return ParserAlone(command, run=False).parser


def build(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *extra: str) -> DiveCLI:
    """The recipe's objects, built by the command's own parser, with a trainer for one batch that writes nothing."""
    monkeypatch.chdir(tmp_path)  # whatever a trainer without a run folder writes
    command = resolve("fit", [name, "--trainer.fast_dev_run", "1", "--trainer.accelerator", "cpu", *extra])
    command.verb, command.recipe = "", ""  # no subcommand: build, do not run, make no run folder
    monkeypatch.setattr(sys, "argv", ["dive", *command.args])
    return DiveCLI(command, run=False)


def run_all_verbs(cli: DiveCLI) -> None:
    """A batch of fit, which changes weights, and of validate, test and predict, whose numbers are finite."""
    trainer, model, data = cli.trainer, cli.model, cli.datamodule
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trainer.fit(model, datamodule=data)
    assert any(not torch.equal(p, before[name]) for name, p in model.named_parameters())
    metrics: dict[str, Any] = {**trainer.validate(model, datamodule=data, verbose=False)[0]}
    metrics |= trainer.test(model, datamodule=data, verbose=False)[0]
    assert metrics and all(torch.isfinite(torch.tensor(value)) for value in metrics.values())
    assert trainer.predict(model, datamodule=data)
