"""The base of all pictures of a run: collects rows, gathers them over processes, draws on the first process.

A picture is made in two steps:

- ``look`` runs in **every** process, with the same rows. It may call the network, whose weights may be divided among
  the processes. It returns what to draw, None for nothing.
- ``draw`` runs in the **first process only**. It makes a figure of what ``look`` found and must not call the network,
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

Rows = dict[str, Tensor]  # by name, each with one row per sample


class Picture(Callback):
    """``<name>.png`` in the run folder and in the loggers that show images."""

    name = ""

    def draw(self, trainer: Trainer, found: Any) -> Figure | None:
        """Draws what ``look`` returned; in the first process only."""
        raise NotImplementedError

    def finish(self, trainer: Trainer, found: Any | None) -> None:
        """Draws and saves what was found, if there is something and this is the first process."""
        if found is None or not trainer.is_global_zero or is_trial(trainer):
            return
        figure = self.draw(trainer, found)
        if figure is not None:
            show(trainer, figure, self.name)


class FitPicture(Picture):
    """A picture that is drawn at the end of a fit."""

    def look(self, trainer: Trainer, pl_module: LightningModule) -> Any | None:
        """Returns what to draw; in every process."""
        raise NotImplementedError

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not is_trial(trainer):
            self.finish(trainer, self.look(trainer, pl_module))


class TestPicture(Picture):
    """A picture of the test split, drawn when the test ends: of its first rows, of all rows, or of a sum over them."""

    #: Number of rows collected from the beginning of the split, over all processes together; None for all.
    max_rows: int | None = None
    kept: Rows | None = None

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows | None:
        """What the picture needs of a batch and of what ``test_step`` returned for it; None for nothing."""
        raise NotImplementedError

    def merge(self, kept: Rows, new: Rows) -> Rows:
        """What is kept of two consecutive batches: their rows; a subclass may sum them instead."""
        return {name: concatenate([rows, new[name]]) for name, rows in kept.items()}

    def join(self, ranks: list[Rows]) -> Rows:
        """What all processes kept: the rows in the order of the split, which is distributed in turn."""
        return {name: interleave([rank[name] for rank in ranks])[: self.max_rows] for name in ranks[0]}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> Any | None:
        """Returns what to draw, by default the rows (on the CPU); in every process, with the same rows."""
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
    """Whether this is ``fast_dev_run``, which writes no files."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]
