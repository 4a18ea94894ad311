"""Snapshots are saved at the end of each cycle, where the rate is zero."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from callbacks.snapshots import Snapshots
from common.messages import UserError


@pytest.mark.parametrize(("total", "steps"), [(10, [5, 10]), (7, [4, 7])])
def test_a_file_for_each_cycle(total: int, steps: list[int], tmp_path: Path) -> None:
    saved: list[tuple[str, int]] = []
    trainer: Any = SimpleNamespace(default_root_dir=str(tmp_path), estimated_stepping_batches=total, global_step=0)
    trainer.save_checkpoint = lambda path, weights_only: saved.append((path.name, trainer.global_step))
    callback = Snapshots(2)
    callback.on_train_start(trainer, None)  # type: ignore[arg-type]
    for step in range(1, total + 1):
        trainer.global_step = step
        callback.on_train_batch_end(trainer, None, None, None, 0)  # type: ignore[arg-type]
    assert saved == [("snapshot-1.ckpt", steps[0]), ("snapshot-2.ckpt", steps[1])]


def test_an_ensemble_of_one_and_more_cycles_than_steps_are_refused() -> None:
    with pytest.raises(UserError, match="at least 2 members"):
        Snapshots(1)
    trainer: Any = SimpleNamespace(estimated_stepping_batches=3)
    with pytest.raises(UserError, match="the run has 3 steps"):
        Snapshots(5).on_train_start(trainer, None)  # type: ignore[arg-type]
