"""``last.ckpt`` between the ends of epochs: every minute of training, and when a signal asks the run to stop.

Ctrl-C, SIGTERM and SIGHUP (the terminal was closed) end a run after the current step and a save, with exit code 130,
143 or 129; a second signal ends it at once. SLURM sends USR1 when the time is nearly up: the run ends in the same way,
and the command requeues the job (``scripts/front/slurm.py``).
"""

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from callbacks.steps import logged_steps
from common.messages import leave_lost_terminal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class Stopped(SystemExit):
    """A signal, ``signum``, ended the run, after saving, in all its processes. With ``requeue`` this one is to requeue
    the job, after all else has ended: SLURM then sends SIGTERM.
    """

    on_all_ranks = True

    def __init__(self, signum: int, requeue: bool = False) -> None:
        super().__init__(128 + signum)
        self.requeue = requeue


class LastCheckpoint(Checkpoint):
    """Saves at the end of an optimizer step, if no other work of that step remains to be done.

    Therefore a resumed run equals one that was never interrupted, bit for bit, metrics.csv included: weights, loader
    and random states agree, there is no accumulated gradient, and no validation, end of an epoch or log line of the
    step is still to come. Lightning's own handlers save wherever they are called, with the loader one batch ahead, and
    its ModelCheckpoint saves before the validation of the step. ModelCheckpoint saves the end of an epoch if it is
    a new best, else here.

    Several processes decide together, by a reduction about every ``patience`` seconds. The class is a ``Checkpoint``
    because Lightning calls those after all other callbacks, whose state is saved too.

    Args:
        seconds: Seconds of training between two saves.
        patience: Seconds of training between two reductions over the processes; a signal waits at most so long.
    """

    def __init__(self, seconds: float = 60.0, patience: float = 0.5) -> None:
        self.seconds = seconds
        self.patience = patience
        self.signum = 0  # the signal that this process received; only the handler sets it
        self.agreed = 0  # the signal that any process had received at the last reduction
        self.previous: dict[int, Any] = {}
        self.trainer: Trainer | None = None
        self.saved_step = -1  # global_step of the newest checkpoint, whoever saved it
        self.saved_at = 0.0  # the time of that save
        self.looked_at = 0.0
        self.steps = 0  # steps since the last reduction
        self.every = 1  # steps between two reductions
        self.ends = False  # True: do not begin the next step

    # -- signals --------------------------------------------------------------------------------------------------

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.trainer, self.signum, self.agreed, self.ends = trainer, 0, 0, False
        self.saved_at = self.looked_at = time.monotonic()
        if threading.current_thread() is threading.main_thread():
            for signum in SIGNALS:
                if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                    self.previous[signum] = signal.signal(signum, self.note)

    def note(self, signum: int, frame: FrameType | None) -> None:
        """Remembers a signal until the step ends; a second one ends the processes at once.

        A closed terminal sends SIGHUP more than once, from the system and from the shell: that is no second request.
        Nor is what SLURM sends: SIGTERM twice at the time limit, USR1 and SIGTERM before it; it kills at last.
        """
        if signum == signal.SIGHUP:
            leave_lost_terminal()
            self.signum = self.signum or signum
            return
        if self.signum and signum != signal.SIGINT and "SLURM_PROCID" in os.environ:
            return
        if self.signum:
            launcher = self.trainer.strategy.launcher if self.trainer else None
            if launcher is not None:
                launcher.kill(signal.SIGKILL)
            os._exit(128 + signum)
        self.signum = signum

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Restores the signal handlers. A signal that came too late to stop the run ends the code that follows it."""
        for signum, handler in self.previous.items():
            signal.signal(signum, handler)
        if self.agreed == signal.SIGUSR1 and "SLURM_PROCID" in os.environ:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # SLURM's, when the first process has requeued the job
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
            self.agreed, self.ends = signum, True  # ends at the next hook: the row of this step is written before it

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
        """ModelCheckpoint, called before, writes last.ckpt only if the epoch was the best so far (Lightning 2.6): the
        other epochs are saved here.
        """
        keeps = any(isinstance(c, ModelCheckpoint) and c.save_last for c in trainer.checkpoint_callbacks)
        if keeps and self.saved_step != trainer.global_step:
            trainer.save_checkpoint(last_of(trainer), weights_only=False)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if trainer.validating:
            return  # best.ckpt alone, see BestCheckpoint
        self.saved_step, self.saved_at = trainer.global_step, time.monotonic()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Tells each ModelCheckpoint its current folder: for a folder that was moved or has another path, it would
        forget the best score and overwrite best.ckpt with a worse one.
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
        """The signal that any process received, 0 for none, and whether a save is due on the first process."""
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
            print(f"stopped after step {self.saved_step}, saved {last_of(trainer)}: --resume continues from there")
        raise Stopped(self.agreed, requeue=self.agreed == signal.SIGUSR1 and trainer.is_global_zero)


def is_free(trainer: Trainer, batch_idx: int) -> bool:
    """Whether the step is complete: no accumulated gradient, no validation, log line or end of the epoch to come."""
    ends = trainer.is_last_batch or trainer.should_stop or trainer.global_step == trainer.max_steps
    if ends or (batch_idx + 1) % trainer.accumulate_grad_batches:
        return False
    every = trainer.val_check_batch
    if every and every != float("inf"):
        count = trainer.fit_loop.total_batch_idx if trainer.check_val_every_n_epoch is None else batch_idx
        if (count + 1) % int(every) == 0:
            return False
    logged = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return (
        logged < 2 or logged_steps(trainer) % logged != 0
    )  # if each step is logged, there is no other step to wait for


def last_of(trainer: Trainer) -> Path:
    return Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt"
