"""best.ckpt holds the weights that had the best score, wherever in an epoch it was measured."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from callbacks.best_checkpoint import BestCheckpoint
from callbacks.finite_loss import FiniteLoss, NotFinite
from callbacks.last_checkpoint import LastCheckpoint
from tests.small import Points, SmallNet, small_trainer


class Scores(Callback):
    """The step and val/loss of each validation."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, float]] = []

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.state.fn == "fit":
            self.seen.append((trainer.global_step, float(trainer.callback_metrics["val/loss"])))


def fit(folder: Path, *callbacks: Callback, best: BestCheckpoint | None = None, **settings: Any) -> BestCheckpoint:
    best = best or BestCheckpoint(dirpath=folder / "checkpoints")
    settings = {"enable_checkpointing": True, "log_every_n_steps": 50, "max_epochs": 3} | settings
    trainer = small_trainer(folder, best, LastCheckpoint(), *callbacks, **settings)
    trainer.fit(SmallNet(lr=0.3), datamodule=Points())
    return best


def step_of(folder: Path, name: str) -> int:
    return int(torch.load(folder / f"checkpoints/{name}.ckpt", weights_only=True)["global_step"])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"val_check_interval": 0.25},
        {"val_check_interval": 3},
        {"val_check_interval": 5, "check_val_every_n_epoch": None},
        {"check_val_every_n_epoch": 2},
        {"max_steps": 6},
        {"max_steps": 3},
    ],
    ids=str,
)
def test_its_weights_have_the_best_score_that_was_logged(settings: dict[str, Any], tmp_path: Path) -> None:
    scores = Scores()
    best = fit(tmp_path, scores, **settings)
    step, score = min(scores.seen, key=lambda seen: seen[1])
    assert step_of(tmp_path, "best") == step
    trainer = small_trainer(tmp_path)
    (found,) = trainer.validate(SmallNet(), Points(), ckpt_path=best.best_model_path, verbose=False)
    assert found["val/loss"] == pytest.approx(score, abs=1e-6) == float(best.best_model_score)  # type: ignore[arg-type]


@pytest.mark.parametrize("max_steps", [3, 6])
def test_a_run_that_ends_inside_of_an_epoch_is_validated_there(max_steps: int, tmp_path: Path) -> None:
    scores = Scores()
    fit(tmp_path, scores, max_steps=max_steps)
    assert [step for step, _ in scores.seen] == ([3] if max_steps == 3 else [4, 6])
    assert step_of(tmp_path, "last") == max_steps


def test_last_is_saved_at_the_ends_of_epochs_alone(tmp_path: Path) -> None:
    saved: list[tuple[str, int]] = []

    class Saves(BestCheckpoint):
        def _save_checkpoint(self, trainer: Any, filepath: str) -> None:
            saved.append((Path(filepath).stem, trainer.global_step))
            super()._save_checkpoint(trainer, filepath)

    fit(tmp_path, best=Saves(dirpath=tmp_path / "checkpoints"), val_check_interval=1)
    assert {name for name, _ in saved} == {"best", "last"}
    assert all(step % 4 == 0 for name, step in saved if name == "last")
    assert step_of(tmp_path, "last") == 12


def test_a_training_score_is_compared_at_the_end_of_its_epoch(tmp_path: Path) -> None:
    best = BestCheckpoint(monitor="train/loss", dirpath=tmp_path / "checkpoints")
    fit(tmp_path, best=best, val_check_interval=0.25)
    assert step_of(tmp_path, "best") % 4 == 0


def test_without_a_validation_it_says_that_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit(tmp_path, limit_val_batches=0)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]
    assert "no val/loss was measured, so there is no best.ckpt" in capsys.readouterr().err


def test_a_score_that_nobody_logs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MisconfigurationException, match="val/los"):
        fit(tmp_path, best=BestCheckpoint(monitor="val/los", dirpath=tmp_path / "checkpoints"))


def test_weights_that_are_not_finite_are_not_saved_inside_of_an_epoch_either(tmp_path: Path) -> None:
    class Ruin(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            next(pl_module.parameters()).data.fill_(float("nan"))

    with pytest.raises(NotFinite):
        fit(tmp_path, FiniteLoss(), Ruin(), val_check_interval=0.25)
    assert not (tmp_path / "checkpoints/best.ckpt").exists()
