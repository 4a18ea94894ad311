"""``best.ckpt``: the weights that had the best score, as they were when it was measured."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from common.messages import note


class BestCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, saving at the end of a training epoch, with two changes.

    A score is compared once, with the weights that it was measured on: the score of a validation within an epoch is
    compared at that step, and an epoch without a score saves no best checkpoint. (Lightning would save the weights of
    an epoch's end under the score of an earlier step.) A run that ``max_steps`` ends within an epoch is validated after
    its last step.

    This callback saves ``last.ckpt`` only at ends of epochs, where a run can be resumed; see ``LastCheckpoint``.

    Args:
        filename: Name of the file, without ``.ckpt``.
        monitor: The score: a metric of the validation, or one that is logged at the end of the training epoch.
        mode: ``min`` or ``max``.
        dirpath: The folder, by default ``checkpoints`` in the run's.
    """

    def __init__(
        self, filename: str = "best", monitor: str = "val/loss", mode: str = "min", dirpath: str | Path | None = None
    ) -> None:
        super().__init__(
            dirpath=dirpath,
            filename=filename,
            monitor=monitor,
            mode=mode,
            save_last=True,
            save_on_train_epoch_end=True,
            enable_version_counter=False,  # a resumed run keeps the names
        )
        self.judged: Tensor | None = None  # the newest score that was compared
        self.before: Tensor | None = None  # the score when the validation began
        self.validated = False

    def select_by(self, monitor: str, mode: str) -> None:
        """Another score, before the first is compared."""
        self.monitor, self.mode = monitor, mode
        self.kth_value = torch.tensor(float("inf") if mode == "min" else float("-inf"))

    def score(self, trainer: Trainer) -> Tensor | None:
        return trainer.callback_metrics.get(self.monitor or "")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if trainer.max_steps > 0 and trainer.global_step >= trainer.max_steps:
            trainer.should_stop = True  # Lightning validates before it stops, but not before it has enough steps

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.before = self.score(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        self.validated = True
        score = self.score(trainer)
        if score is self.before or trainer.fit_loop.epoch_loop.done:  # the end of the epoch comes next
            return
        self.judged = score
        if not self._should_skip_saving_checkpoint(trainer):
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        score = self.score(trainer)
        if score is self.judged if score is not None else not self.validated:
            return
        self.judged = score
        super().on_train_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        if not self.best_model_path and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            note(f"no {self.monitor} was measured, so there is no {self.filename}.ckpt: last.ckpt is used in its place")
