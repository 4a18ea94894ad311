"""Which recipes a preset runs, and how: in this process, or in each of two."""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scripts.front.arguments import resolve
from scripts.front.checkpoints import read_checkpoint
from scripts.front.lightning_cli import DiveCLI
from scripts.front.recipes import all_recipes, find_recipe
from scripts.front.runs import RUN_DIR, path_of
from tests.recipes import drawn, params, slow_but, small

#: The presets that run each recipe whose header does not say why not (``presets: NAME: why``).
EACH_RECIPE = ("bf16", "debug", "ddp_find_unused", "fsdp")
#: One batch of each verb, on the CPU, saved.
ONE_BATCH = [
    *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"),
    *(word for split in ("train", "val", "test", "predict") for word in (f"--trainer.limit_{split}_batches", "1")),
]


def preset_params(*presets: str, topics: int = 1000) -> list[Any]:
    """The recipes that any of the presets runs, as parameters of a test: one of so many topics, the others slow."""
    quick = drawn(1, " ".join(presets), lambda recipe: not set(presets) & set(recipe.exempt_presets), topics)
    return slow_but(quick, params(recipe for recipe in all_recipes() if set(presets) - set(recipe.exempt_presets)))


def run_verbs(name: str, preset: str, folder: Path) -> None:
    """Trains a batch; then validates, tests and predicts one with the checkpoint that was saved.

    Writes its CPU-seconds to the file ``cpu`` of the folder and, in the first process, the weights before the training
    to ``before.pt``. The run's folder is ``run``.
    """
    torch.set_num_threads(1)
    os.chdir(folder)
    os.environ[RUN_DIR] = str(folder / "run")
    command = resolve("fit", [name, "-c", f"trainer/{preset}", *ONE_BATCH, *small(find_recipe(name))])
    command.verb = ""  # build, do not run
    sys.argv = ["dive", *command.args]
    try:
        cli = DiveCLI(command, run=False)
        trainer, model, data = cli.trainer, cli.model, cli.datamodule
        if trainer.is_global_zero:
            torch.save({name: p.detach().clone() for name, p in model.named_parameters()}, folder / "before.pt")
        trainer.fit(model, datamodule=data)
        best = path_of(folder / "run", "best")
        metrics: dict[str, Any] = {**trainer.validate(model, data, ckpt_path=str(best), verbose=False)[0]}
        metrics |= trainer.test(model, data, ckpt_path=str(best), verbose=False)[0]
        assert metrics and all(torch.isfinite(torch.tensor(value)) for value in metrics.values()), metrics
        trainer.predict(model, data, ckpt_path=str(best), return_predictions=False)
        assert (folder / "run/predictions.csv").is_file() or not trainer.is_global_zero
    finally:
        with (folder / "cpu").open("a") as out:
            out.write(f"{sum(os.times()[:2])}\n")


def step_taken(folder: Path) -> dict[str, Tensor]:
    """What the training of ``run_verbs`` added to each parameter."""
    before = torch.load(folder / "before.pt", weights_only=True)
    after = read_checkpoint(path_of(folder / "run", "last"))["state_dict"]
    return {name: after[name] - value for name, value in before.items()}
