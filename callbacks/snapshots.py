"""``snapshot-1.ckpt``, ``snapshot-2.ckpt``, ...: the weights at the end of each cycle of the learning rate.

Huang et al. 2017, "Snapshot Ensembles: Train 1, get M for free": a rate that falls to zero several times in a run ends
at several minima, whose predictions are averaged. The rate is ``lit_models.optimization.schedules.Cycles``.

    dive ensemble cnn/lenet --kind snapshots --members 5
"""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from common.messages import UserError


class Snapshots(Callback):
    """Saves the weights, without the optimizer, after each of ``cycles`` equal parts of the run.

    Args:
        cycles: How many; as many as the schedule has.
    """

    def __init__(self, cycles: int = 5) -> None:
        if cycles < 2:
            raise UserError(f"Snapshots: cycles is {cycles}: an ensemble has at least 2 members")
        self.cycles = cycles
        self.total = self.saved = 0  # steps of the run; the cycle that was saved last

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.total = int(trainer.estimated_stepping_batches)
        if self.total < self.cycles:
            raise UserError(f"Snapshots: cycles is {self.cycles}, and the run has {self.total} steps")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        step = trainer.global_step
        cycle = round(step * self.cycles / self.total)
        if cycle != self.saved and step == round(cycle * self.total / self.cycles):  # the same in all processes
            self.saved = cycle
            path = Path(trainer.default_root_dir) / "checkpoints" / f"snapshot-{cycle}.ckpt"
            trainer.save_checkpoint(path, weights_only=True)
