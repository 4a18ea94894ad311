"""The training that the fault tests interrupt: LeNet with everything that a resume could forget."""

import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging
from torch import Tensor, nn

from callbacks.atomic_checkpoint import AtomicCheckpoint
from callbacks.best_checkpoint import BestCheckpoint
from callbacks.finite_loss import FiniteLoss
from callbacks.last_checkpoint import LastCheckpoint
from callbacks.metrics_csv import MetricsCSV
from callbacks.random_state import RandomState
from callbacks.run_record import RunRecord
from datamodules.base import TensorLoader
from lit_models.cnn.lenet import LitLeNet
from lit_models.tasks.schedules import WarmupCosine

BATCHES, EPOCHS, ACCUMULATE = 16, 3, 2
STEPS = EPOCHS * BATCHES // ACCUMULATE


class LitDropoutLeNet(LitLeNet):
    """With dropout, and, if asked, a loss that is no number at one step of one rank."""

    def __init__(self, nan: tuple[int, int] = (-1, -1), **task: Any) -> None:
        super().__init__(activation="relu", **task)
        self.net.head.insert(1, nn.Dropout(0.3))
        self.nan = nan

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = super().training_step(batch, batch_idx)
        return loss * float("nan") if (self.global_step, self.global_rank) == self.nan else loss


class Progress(Callback):
    """Tells the test, through a pipe, that a step begins; before step ``hold_at`` it waits for the test's answer."""

    def __init__(self, pipe: Any, hold_at: int) -> None:
        self.pipe, self.hold_at = pipe, hold_at

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if self.pipe is None or not trainer.is_global_zero:
            return
        self.pipe.send(trainer.global_step)
        if trainer.global_step == self.hold_at:
            self.hold_at = -1
            self.pipe.recv()


class Hangs(Callback):
    """A step that does not end."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            until = time.monotonic() + 600
            while time.monotonic() < until:
                time.sleep(0.05)


class KilledSave(AtomicCheckpoint):
    """Kills its process at save number ``count``: ``within``, with half a file written, or right ``after`` it."""

    def __init__(self, when: str, count: int) -> None:
        self.when, self.left = when, count

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        self.left -= 1
        if self.left == 0 and self.when == "within":
            fsync = os.fsync

            def kill(file: int) -> None:
                os.truncate(file, os.fstat(file).st_size // 2)
                fsync(file)
                os.kill(os.getpid(), signal.SIGKILL)

            os.fsync = kill
        super().save_checkpoint(checkpoint, path, storage_options)
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def train(
    folder: Path,
    world: int = 1,
    resume: bool = False,
    without: str = "",
    kill_save: tuple[str, int] | None = None,
    pipe: Any = None,
    seconds: float = 0.0,
    hang_at: int = -1,
    nan: tuple[int, int] = (-1, -1),
    interval: float = 1.0,
    hold_at: int = -1,
    stay: bool = False,
) -> None:
    """One process of a training run in ``folder``.

    Args:
        folder: Where checkpoints and metrics.csv go.
        world: Number of processes.
        resume: Go on from last.ckpt, with generators that stand elsewhere.
        without: ``RandomState`` or ``loader``: what is left out, to see that the test notices.
        kill_save: When and at which save of a checkpoint the process kills itself.
        pipe: Gets the number of each step as it begins.
        seconds: See ``LastCheckpoint``.
        hang_at: A step that does not end.
        nan: Step and rank whose loss is no number.
        interval: The part of an epoch between two validations.
        hold_at: The step before which the first process waits until something comes through the pipe, so that what the
            test does meets a run and not its end, however long the test takes.
        stay: Whether the process stays when the training is over, to be killed.
    """
    from tests.preloaded import DIGITS

    seed_everything(1, verbose=False)
    if resume:  # whatever state a new process begins with
        torch.manual_seed(99)
        random.seed(99)
    DIGITS.batch_size = 64 // world
    if without == "loader":
        TensorLoader.load_state_dict = lambda self, state: None  # type: ignore[method-assign]
    callbacks: list[Callback] = [
        *([] if without == "RandomState" else [RandomState()]),
        FiniteLoss(),
        RunRecord(),
        EMAWeightAveraging(decay=0.9),
        EarlyStopping("val/loss", min_delta=10.0, patience=10),  # nothing is so much better: it counts the epochs
        BestCheckpoint(monitor="val/acc", mode="max", dirpath=folder / "checkpoints"),
        LastCheckpoint(seconds, patience=0.0),
        Progress(pipe, hold_at),
        Hangs(hang_at),
    ]
    trainer = Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        devices=world,
        strategy="ddp" if world > 1 else "auto",
        max_epochs=EPOCHS,
        limit_train_batches=BATCHES,
        limit_val_batches=2,
        val_check_interval=interval,
        accumulate_grad_batches=ACCUMULATE,
        log_every_n_steps=5,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        logger=MetricsCSV(str(folder)),
        callbacks=callbacks,
        plugins=[KilledSave(*kill_save) if kill_save else AtomicCheckpoint()],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    warm_up = partial(WarmupCosine, warmup=0.3)  # asks for the run's length, before the checkpoint is restored
    model = LitDropoutLeNet(
        nan, optimizer=partial(torch.optim.Adam, lr=0.003), lr_scheduler=warm_up, lr_interval="step"
    )
    trainer.fit(model, datamodule=DIGITS, ckpt_path=folder / "checkpoints/last.ckpt" if resume else None)
    while stay:
        signal.pause()
