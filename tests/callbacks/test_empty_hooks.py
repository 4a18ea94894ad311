"""Empty hooks are not called, the others are, and training is the same."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.profilers import SimpleProfiler

from callbacks.empty_hooks import PER_BATCH, skip_empty_hooks
from tests.small import Points, SmallNet, small_trainer


class Counts(Callback):
    def __init__(self) -> None:
        self.batches = 0

    def on_train_batch_end(self, *args: Any) -> None:
        self.batches += 1


def test_only_what_a_callback_defines_is_left(tmp_path: Path) -> None:
    counts = Counts()
    skip_empty_hooks(small_trainer(tmp_path, counts))
    assert [name for name in PER_BATCH if callable(getattr(counts, name))] == ["on_train_batch_end"]
    assert callable(counts.on_fit_start)


def test_training_is_the_same(tmp_path: Path) -> None:
    weights = []
    for skip in (False, True):
        torch.manual_seed(0)
        model, counts = SmallNet(), Counts()
        trainer = small_trainer(tmp_path, counts)
        if skip:
            skip_empty_hooks(trainer)
        trainer.fit(model, datamodule=Points())
        assert counts.batches == 8
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*weights)


def test_a_profiler_that_was_asked_for_stays(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, profiler="simple")
    skip_empty_hooks(trainer)
    assert type(trainer.profiler) is SimpleProfiler  # type: ignore[attr-defined]
    trainer.fit(SmallNet(), datamodule=Points())
    assert "run_training_batch" in trainer.profiler.summary()  # type: ignore[attr-defined]
