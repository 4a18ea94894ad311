"""``best.ckpt`` by another metric than the validation's loss."""

from typing import Literal

from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.best_checkpoint import BestCheckpoint


class SelectBy(Callback):
    """Makes ``best.ckpt`` the weights with the best ``metric``; a run without a ``BestCheckpoint`` stays as it is.

    The lowest loss is not the best F1 where classes are of unequal size: in the first epochs the network names the
    frequent class alone, and later it is more often right but surer of its errors. A run that is resumed with another
    metric compares from then on.

    Args:
        metric: A metric of the validation, such as ``val/acc`` or ``val/f1``.
        mode: ``max`` or ``min``: which of them is the best.
    """

    def __init__(self, metric: str, mode: Literal["min", "max"]) -> None:
        self.metric, self.mode = metric, mode

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, BestCheckpoint):
                callback.select_by(self.metric, self.mode)
