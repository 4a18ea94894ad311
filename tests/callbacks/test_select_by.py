"""best.ckpt by another metric, when training begins and when it goes on."""

from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks.best_checkpoint import BestCheckpoint
from callbacks.last_checkpoint import LastCheckpoint
from callbacks.select_by import SelectBy
from tests.callbacks.test_best_checkpoint import Scores, fit, step_of
from tests.small import Points, SmallNet, small_trainer


def test_the_highest_score_is_kept(tmp_path: Path) -> None:
    scores = Scores()
    best = fit(tmp_path, scores, SelectBy("val/loss", "max"))
    step, score = max(scores.seen, key=lambda seen: seen[1])
    assert score > min(seen[1] for seen in scores.seen)
    assert step_of(tmp_path, "best") == step
    assert best.best_model_score == pytest.approx(score)


def test_a_resumed_run_compares_with_the_earlier_score(tmp_path: Path) -> None:
    scores = Scores()
    settings: dict[str, Any] = {"enable_checkpointing": True, "log_every_n_steps": 50}
    for epochs, resumed in ((2, None), (4, str(tmp_path / "checkpoints" / "last.ckpt"))):
        best = BestCheckpoint(dirpath=tmp_path / "checkpoints")
        trainer = small_trainer(
            tmp_path, best, LastCheckpoint(), scores, SelectBy("val/loss", "max"), max_epochs=epochs, **settings
        )
        trainer.fit(SmallNet(lr=0.3), datamodule=Points(), ckpt_path=resumed)
    step, score = max(scores.seen, key=lambda seen: seen[1])
    assert len(scores.seen) == 4
    assert step_of(tmp_path, "best") == step == scores.seen[0][0]  # of the first run
    assert best.best_model_score == torch.tensor(score)


def test_a_later_command_finds_the_checkpoint_of_its_callbacks(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    best = fit(tmp_path, SelectBy("val/loss", "max"))
    recwarn.clear()
    callbacks = [BestCheckpoint(dirpath=tmp_path / "checkpoints"), LastCheckpoint(), SelectBy("val/loss", "max")]
    trainer = small_trainer(tmp_path, *callbacks, enable_checkpointing=True)
    trainer.validate(SmallNet(), Points(), ckpt_path=best.best_model_path, verbose=False)
    assert not [said for said in recwarn if "Please add the following callbacks" in str(said.message)]
