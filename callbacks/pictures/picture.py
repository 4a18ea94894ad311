"""What all pictures of a run share: collecting rows, bringing them together over processes, drawing on the first.

A picture says in two steps what there is to see:

- ``look`` runs in **every** process, with the same rows. It may call the network, whose weights may be divided among
  the processes. It returns what is to be drawn, None for nothing.
- ``draw`` runs in the **first process alone**. It makes a figure of what ``look`` found and must not call the network,
  a metric or anything else that waits for other processes (a collective): they are not there, and the run would hang.
  The same holds for every method of a model or of a datamodule that is called from there.

Under ``fast_dev_run`` nothing is collected or drawn.
"""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import show
from callbacks.ranks import concatenate, gather, interleave

Rows = dict[str, Tensor]  # by name, each with one row a sample


class Picture(Callback):
    """``<name>.png`` in the run folder and in the loggers that show images."""

    name = ""

    def draw(self, trainer: Trainer, found: Any) -> Figure | None:
        """Draws what ``look`` found; in the first process alone."""
        raise NotImplementedError

    def finish(self, trainer: Trainer, found: Any | None) -> None:
        """Draws and shows what was found, where this is the first process and there is something."""
        if found is None or not trainer.is_global_zero or is_trial(trainer):
            return
        figure = self.draw(trainer, found)
        if figure is not None:
            show(trainer, figure, self.name)


class FitPicture(Picture):
    """A picture that is drawn at the end of a fit."""

    def look(self, trainer: Trainer, pl_module: LightningModule) -> Any | None:
        """What there is to draw; in every process."""
        raise NotImplementedError

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not is_trial(trainer):
            self.finish(trainer, self.look(trainer, pl_module))


class TestPicture(Picture):
    """A picture of the test split, drawn when the test ends: of its first rows, of all, or of a sum over them."""

    #: Only so many rows from the beginning of the split are collected, however many processes share it; None for all.
    max_rows: int | None = None
    kept: Rows | None = None

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows | None:
        """What the picture needs of a batch, given what ``test_step`` returned; None where there is nothing for it."""
        raise NotImplementedError

    def merge(self, kept: Rows, new: Rows) -> Rows:
        """What is kept of two batches that follow one another: their rows, unless a picture sums them up."""
        return {name: concatenate([rows, new[name]]) for name, rows in kept.items()}

    def join(self, ranks: list[Rows]) -> Rows:
        """What all processes kept: the rows in the order of the split, which deals them out in turn."""
        return {name: interleave([rank[name] for rank in ranks])[: self.max_rows] for name in ranks[0]}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> Any | None:
        """What there is to draw, by default the rows (on the CPU); in every process, with the same rows."""
        return rows

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.kept = None

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if is_trial(trainer) or self.has_enough(trainer):
            return
        new = self.collect(trainer, outputs, batch)
        if new is not None:
            new = {name: rows[: self.max_rows].detach().cpu().clone() for name, rows in new.items()}
            self.kept = new if self.kept is None else self.merge(self.kept, new)

    def has_enough(self, trainer: Trainer) -> bool:
        """Whether this process has all its rows among the first ``max_rows`` of the split."""
        if self.kept is None or self.max_rows is None:
            return False
        mine = len(range(trainer.global_rank, self.max_rows, trainer.world_size))
        return len(next(iter(self.kept.values()))) >= mine

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        kept, self.kept = self.kept, None
        if is_trial(trainer):
            return
        ranks = [rows for rows in gather(trainer, kept) if rows is not None]
        if ranks:
            self.finish(trainer, self.look(trainer, pl_module, self.join(ranks)))


def is_trial(trainer: Trainer) -> bool:
    """Whether this is ``fast_dev_run``, which leaves nothing behind."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]
