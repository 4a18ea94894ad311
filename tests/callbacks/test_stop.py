"""A signal lets the step end, saves last.ckpt where loader and weights agree, and ends with 128 plus its number."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from callbacks.stop import StopOnSignal, Stopped
from tests.small import Points, SmallNet, small_trainer


class Send(Callback):
    """Sends this process a signal in the middle of batch 2 of the second epoch."""

    def __init__(self, signum: int) -> None:
        self.signum = signum

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.current_epoch == 1 and batch_idx == 2:
            os.kill(os.getpid(), self.signum)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_at_the_end_of_the_step(signum: int, code: int, tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, StopOnSignal(), Send(signum), max_epochs=9)
    with pytest.raises(Stopped) as stopped:
        trainer.fit(SmallNet(), datamodule=Points())
    assert stopped.value.code == code
    saved = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)
    assert saved["global_step"] == 4 + 3
    assert saved["loops"]["fit_loop"]["state_dict"]["combined_loader"][0] == {"epoch": 1, "batch": 3}


def test_the_handlers_are_put_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    small_trainer(tmp_path, StopOnSignal()).fit(SmallNet(), datamodule=Points())
    assert signal.getsignal(signal.SIGINT) == before


def test_with_accumulation_it_waits_for_the_optimiser_step(tmp_path: Path) -> None:
    trainer = small_trainer(tmp_path, StopOnSignal(), Send(signal.SIGTERM), max_epochs=9, accumulate_grad_batches=4)
    with pytest.raises(Stopped):
        trainer.fit(SmallNet(), datamodule=Points())
    assert torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)["global_step"] == 2
