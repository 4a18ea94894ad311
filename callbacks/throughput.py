"""Training speed: samples per second over all processes, loading included, validation and saving excluded."""

import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor


class Throughput(Callback):
    """Logs ``time/samples_per_second`` of each epoch.

    The clock runs from the end of one batch to the end of the next, so that the first batch after a pause counts
    neither as time nor as samples. On a GPU steps are queued; over a whole epoch the queue does not matter.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.samples = 0
        self.last: float | None = None
        self.rate: float | None = None  # of the last epoch, for the run's record

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        if self.last is not None:
            self.seconds += now - self.last
            self.samples += batch_rows(batch) * trainer.world_size
        self.last = now

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.last = None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.seconds > 0:
            self.rate = self.samples / self.seconds
            # no sync_dist: a progress bar, which only the first process has, would wait for the others' part forever
            pl_module.log("time/samples_per_second", self.rate, rank_zero_only=True)
        self.seconds, self.samples, self.last = 0.0, 0, None


def batch_rows(batch: Any) -> int:
    """The length of the first tensor in a batch."""
    while not isinstance(batch, Tensor):
        batch = next(iter(batch.values() if isinstance(batch, dict) else batch))
    return len(batch)
