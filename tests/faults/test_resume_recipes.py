"""Each offline recipe, stopped within an epoch and resumed, ends as a run that nothing stopped, to the last bit.
Quick is that of one topic; others are in tests/lit_models/regularization/test_runs.py.
"""

import signal
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

from callbacks.last_checkpoint import LastCheckpoint
from scripts.front.recipes import Recipe, all_recipes
from tests.faults.runs import check_equal
from tests.recipes import drawn, params, slow_but, small
from tests.warm import dive, start, wait

STOP_AT = 3  # steps
FIT = [
    *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "2"),
    *("--trainer.check_val_every_n_epoch", "1"),
    *("--trainer.limit_train_batches", "5", "--trainer.limit_val_batches", "1", "--trainer.log_every_n_steps", "50"),
]


def stopped_dive(*words: str) -> None:
    """``dive`` that gets SIGTERM, as far as it can see, at its third step."""
    agree = LastCheckpoint.agree

    def told(self: LastCheckpoint, trainer: Trainer) -> tuple[int, bool]:
        signum, due = agree(self, trainer)
        return (signal.SIGTERM if trainer.global_step >= STOP_AT else signum), due

    LastCheckpoint.agree = told  # type: ignore[method-assign]
    dive(*words)


@pytest.mark.parametrize(
    "recipe", slow_but(drawn(1, "resume", topics=1), params(r for r in all_recipes() if r.offline))
)
def test_a_stopped_run_ends_as_one_that_was_not(recipe: Recipe, tmp_path: Path) -> None:
    words = [recipe.name, *small(recipe), *FIT]
    folders = {name: tmp_path / name for name in ("whole", "stopped")}
    env = {name: {"DIVE_RUNS": str(folder / "runs")} for name, folder in folders.items()}
    log = tmp_path / "log"
    assert wait(
        start(dive, "fit", *words, log=log, env=env["whole"]),
        start(stopped_dive, "fit", *words, log=log, env=env["stopped"]),
    ) == [0, 128 + signal.SIGTERM], log.read_text()[-3000:]
    assert "stopped after step" in log.read_text()
    assert wait(start(dive, "fit", *words, "--resume", log=log, env=env["stopped"])) == [0], log.read_text()[-3000:]
    whole, stopped = (next((folder / "runs" / recipe.name).iterdir()) for folder in folders.values())
    check_equal(whole, stopped)
