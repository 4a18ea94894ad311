"""``last.ckpt`` between the ends of epochs: every minute of training, and when a signal asks the run to stop.

Ctrl-C, SIGTERM and SIGHUP (the terminal was closed) end a run after the step, saved, with exit code 130, 143 or 129; a
second one ends it at once. USR1 is how SLURM says that the time is nearly up: the same, and the job puts itself back
into the queue.
"""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from common.messages import leave_lost_terminal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class Stopped(SystemExit):
    """A run that a signal ended, after saving, in all its processes."""

    on_all_ranks = True


class LastCheckpoint(Checkpoint):
    """Saves at the end of an optimizer step after which nothing else of that step is still to come.

    That is what makes a resumed run equal to one that was never interrupted, to the bit and to the row of metrics.csv:
    weights, loader and random states agree, no gradient waits to be used, and no validation, end of an epoch or line of
    the log belongs to the step. Lightning's own handlers save wherever they are called, with the loader one batch
    ahead, and its ModelCheckpoint before the validation of the step. The end of an epoch is saved by ModelCheckpoint
    where it is a new best, else here.

    Several processes decide together: a reduction every so many steps as take ``patience`` seconds. It is a
    ``Checkpoint`` because Lightning calls those after all other callbacks, whose state is saved too.

    Args:
        seconds: Of training between two saves by time.
        patience: Seconds of training until several processes notice a signal.
    """

    def __init__(self, seconds: float = 60.0, patience: float = 0.5) -> None:
        self.seconds = seconds
        self.patience = patience
        self.signum = 0  # the signal that this process got: the handler alone writes it
        self.agreed = 0  # the signal that any process got, by the last agreement
        self.previous: dict[int, Any] = {}
        self.trainer: Trainer | None = None
        self.saved_step = -1  # global_step of the newest checkpoint, whoever saved it
        self.saved_at = 0.0  # when that was
        self.looked_at = 0.0
        self.steps = 0  # since the processes last agreed
        self.every = 1  # steps until they agree again
        self.ends = False  # the next step is not begun

    # -- signals --------------------------------------------------------------------------------------------------

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.trainer, self.signum, self.agreed, self.ends = trainer, 0, 0, False
        self.saved_at = self.looked_at = time.monotonic()
        if threading.current_thread() is threading.main_thread():
            for signum in SIGNALS:
                if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                    self.previous[signum] = signal.signal(signum, self.note)

    def note(self, signum: int, frame: FrameType | None) -> None:
        """Remembers a signal until the step ends; the second one ends the processes where they are.

        A closed terminal says SIGHUP more than once, by the system and by the shell: that is no second wish.
        """
        if signum == signal.SIGHUP:
            leave_lost_terminal()
            self.signum = self.signum or signum
            return
        if self.signum:
            launcher = self.trainer.strategy.launcher if self.trainer else None
            if launcher is not None:
                launcher.kill(signal.SIGKILL)
            os._exit(128 + signum)
        self.signum = signum

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Gives the signals back. One that came too late to stop the run, which has ended, ends what follows it."""
        for signum, handler in self.previous.items():
            signal.signal(signum, handler)
        late = self.signum if self.signum != signal.SIGUSR1 and trainer.is_global_zero and not self.agreed else 0
        self.previous, self.trainer, self.signum = {}, None, 0
        if late:
            signal.raise_signal(late)

    # -- steps ----------------------------------------------------------------------------------------------------

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.steps += 1
        if self.steps < self.every or not is_free(trainer, batch_idx):
            return
        signum, due = self.agree(trainer)
        if signum or due:
            trainer.save_checkpoint(last_of(trainer), weights_only=False)
        if signum:
            self.agreed, self.ends = signum, True  # at the next hook: the row of this step is written in between

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self.ends:
            self.stop(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Between two epochs last.ckpt has just been saved."""
        if self.saved_step == trainer.global_step and trainer.global_step:
            self.agreed, _ = self.agree(trainer)
            if self.agreed:
                self.stop(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """ModelCheckpoint, called before, writes last.ckpt where the epoch was the best so far and nowhere else
        (Lightning 2.6): the others are saved here.
        """
        keeps = any(isinstance(c, ModelCheckpoint) and c.save_last for c in trainer.checkpoint_callbacks)
        if keeps and self.saved_step != trainer.global_step:
            trainer.save_checkpoint(last_of(trainer), weights_only=False)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if trainer.validating:
            return  # best.ckpt alone, see BestCheckpoint
        self.saved_step, self.saved_at = trainer.global_step, time.monotonic()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Tells each ModelCheckpoint that its folder is where it is now: after a move, or named another way, it would
        forget the best score and overwrite best.ckpt with something worse.
        """
        for callback in trainer.checkpoint_callbacks:
            state = checkpoint.get("callbacks", {}).get(callback.state_key)
            if isinstance(callback, ModelCheckpoint) and callback.dirpath and state and state.get("dirpath"):
                here = Path(callback.dirpath)
                for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
                    state[key] = state[key] and str(here / Path(state[key]).name)
                state["best_k_models"] = {str(here / Path(k).name): v for k, v in state["best_k_models"].items()}
                state["dirpath"] = callback.dirpath

    def agree(self, trainer: Trainer) -> tuple[int, bool]:
        """The signal that any process got, 0 for none, and whether the first process finds a save due."""
        now = time.monotonic()
        due = trainer.is_global_zero and now - self.saved_at >= self.seconds
        wish = [float(self.signum), float(due), 1.0]
        if trainer.world_size > 1:
            step = (now - self.looked_at) / max(self.steps, 1)
            wish[2] = min(max(self.patience / max(step, 1e-6), 1.0), 10_000.0)
            tensor = torch.tensor(wish, device=trainer.strategy.root_device)
            wish = trainer.strategy.reduce(tensor, reduce_op="max").tolist()  # type: ignore[union-attr]
        self.looked_at, self.steps, self.every = now, 0, int(wish[2])
        return int(wish[0]), bool(wish[1])

    def stop(self, trainer: Trainer) -> None:
        """Ends this process; the others do the same at the same step."""
        trainer.strategy.barrier()
        if trainer.is_global_zero:
            print(f"stopped after step {self.saved_step}, saved {last_of(trainer)}: --resume goes on from there")
            if self.agreed == signal.SIGUSR1:
                requeue()
        raise Stopped(128 + self.agreed)


def is_free(trainer: Trainer, batch_idx: int) -> bool:
    """Whether nothing of this step is still to come: no gradient to use, no validation, no log line, no end."""
    ends = trainer.is_last_batch or trainer.should_stop or trainer.global_step == trainer.max_steps
    if ends or (batch_idx + 1) % trainer.accumulate_grad_batches:
        return False
    every = trainer.val_check_batch
    if every and every != float("inf"):
        count = trainer.fit_loop.total_batch_idx if trainer.check_val_every_n_epoch is None else batch_idx
        if (count + 1) % int(every) == 0:
            return False
    logged = trainer.log_every_n_steps  # type: ignore[attr-defined]
    steps = trainer.global_step // max(1, len(trainer.optimizers))
    return logged < 2 or steps % logged != 0  # where each step is logged, nothing can wait for one that is not


def last_of(trainer: Trainer) -> Path:
    return Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt"


def requeue() -> None:
    """Puts this SLURM job, or this task of a job array, back into the queue; says so when SLURM does not do it."""
    job = os.environ.get("SLURM_JOB_ID")
    if os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ.get('SLURM_ARRAY_TASK_ID', '')}"
    if not job or not re.fullmatch(r"[0-9_]+", job):
        return
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True)
        failed = (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""
    except OSError as error:
        failed = str(error)
    print(f"job {job} not requeued: {failed}" if failed else f"job {job} requeued")
