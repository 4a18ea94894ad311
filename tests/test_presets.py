"""Every recipe with the presets of one process: ``-c trainer/bf16`` and ``-c trainer/debug``.

Those of several processes are in ``tests/distributed/test_presets.py``.
"""

from pathlib import Path

import pytest
import yaml

from scripts.front.recipes import CONFIGS, Recipe
from tests.presets import preset_params
from tests.recipes import build, run_all_verbs, small


@pytest.mark.parametrize("recipe", preset_params("bf16", topics=8))
def test_recipe_runs_one_batch_of_each_verb_in_bf16(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cli = build(recipe.name, monkeypatch, tmp_path, "-c", "trainer/bf16", *small(recipe))
    assert cli.trainer.precision == "bf16-mixed"
    run_all_verbs(cli)


@pytest.mark.parametrize("recipe", preset_params("debug", topics=8))
def test_recipe_runs_one_batch_of_each_verb_in_debug(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_all_verbs(build(recipe.name, monkeypatch, tmp_path, "-c", "trainer/debug", *small(recipe)))


def test_debug_takes_a_batch_of_the_smallest_data() -> None:
    """A fraction of few batches is none: whole numbers are not more than there are."""
    trainer = yaml.safe_load((CONFIGS / "trainer/debug.yaml").read_text())["trainer"]
    for split in ("train", "val"):
        assert isinstance(trainer[f"limit_{split}_batches"], int) and trainer[f"limit_{split}_batches"] >= 1
