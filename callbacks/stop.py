"""Ctrl-C and SIGTERM: finish the step, save ``last.ckpt``, exit 130 or 143. A second signal ends it at once."""

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class Stopped(SystemExit):
    """A run that a signal ended, after saving."""


class StopOnSignal(Callback):
    """Saves at the end of an optimiser step, where the loader's place and the weights agree.

    Lightning's own handlers save wherever they are called, with the loader one batch ahead, and end with exit code 0
    or 1. Under several processes all ranks agree on the step at which they stop, by one small reduction a step.
    """

    def __init__(self) -> None:
        self.signum = 0
        self.previous: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self.previous[signum] = signal.signal(signum, self.note)

    def note(self, signum: int, frame: FrameType | None) -> None:
        if self.signum:
            os._exit(128 + signum)
        self.signum = signum

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % trainer.accumulate_grad_batches and not trainer.is_last_batch:
            return
        signum = self.signum
        if trainer.world_size > 1:
            flag = torch.tensor(float(signum), device=trainer.strategy.root_device)
            signum = int(trainer.strategy.reduce(flag, reduce_op="max"))
        if signum:
            last = Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt"
            trainer.save_checkpoint(last)
            trainer.strategy.barrier()
            if trainer.is_global_zero:
                print(f"stopped after step {trainer.global_step}, saved {last}: --resume goes on from there")
            raise Stopped(128 + signum)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        for signum, handler in self.previous.items():
            signal.signal(signum, handler)
        self.previous = {}
