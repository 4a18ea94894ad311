"""Empty hooks are not called, the others are, and training is the same."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback

from callbacks.empty_hooks import PER_BATCH, skip_empty_hooks
from tests.small import Points, SmallNet, small_trainer


class Counts(Callback):
    def __init__(self) -> None:
        self.batches = 0

    def on_train_batch_end(self, *args: Any) -> None:
        self.batches += 1


def test_only_what_a_callback_defines_is_left() -> None:
    counts = Counts()
    skip_empty_hooks([counts])
    assert [name for name in PER_BATCH if callable(getattr(counts, name))] == ["on_train_batch_end"]
    assert callable(counts.on_fit_start)


def test_training_is_the_same(tmp_path: Path) -> None:
    weights = []
    for skip in (False, True):
        torch.manual_seed(0)
        model, counts = SmallNet(), Counts()
        trainer = small_trainer(tmp_path, counts)
        if skip:
            skip_empty_hooks(trainer.callbacks)  # type: ignore[attr-defined]
        trainer.fit(model, datamodule=Points())
        assert counts.batches == 8
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*weights)
