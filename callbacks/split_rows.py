"""Which rows a run is trained on: a bootstrap sample, all that there are, or rows whose labels are hidden.

Goodfellow et al. 7.11 (bagging) and 7.8 (training again with the validation rows); Lee 2013 (pseudo-labels). Each acts
on the training split of a datamodule with tensors in memory, once, after it was loaded; the draw is its own and not the
run's, so that all processes and a resumed run have the same rows.

    dive ensemble cnn/lenet --kind bagging          Bootstrap, in each member with another seed
    dive ensemble cnn/lenet --kind retrain          AllRows
    dive fit cnn/lenet -c regularizer/pseudo_labels FewLabels
"""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from common.data_protocol import data_attribute
from common.messages import UserError

HIDDEN = -1  # in the place of a class


class SplitRows(Callback):
    """Base: calls ``change`` with the splits when a fit has loaded them."""

    #: What to do where the data does not have its rows in memory.
    remedy = "leave it out, or use other data"

    def __init__(self) -> None:
        self.done: Any = None  # the training rows that were made

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        splits: dict[str, tuple[Tensor, ...]] = data_attribute(trainer, "splits", {})
        if stage != "fit" or (self.done is not None and splits.get("train") is self.done):
            return
        if not splits.get("train") or not splits.get("val"):
            raise UserError(f"{type(self).__name__} needs data with its rows in memory: {self.remedy}")
        self.done = splits["train"] = self.change(splits)

    def change(self, splits: dict[str, tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """The new training rows."""
        raise NotImplementedError


class Bootstrap(SplitRows):
    """As many training rows, drawn with replacement: about 63 in 100 of them are different ones.

    Args:
        seed: Of the draw.
    """

    remedy = "take `dive ensemble --kind seeds`, or other data"

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def change(self, splits: dict[str, tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        rows = len(splits["train"][0])
        drawn = torch.randint(rows, (rows,), generator=torch.Generator().manual_seed(self.seed))
        return tuple(part[drawn] for part in splits["train"])


class AllRows(SplitRows):
    """The validation rows too, behind the training rows; they are validated as before, and say nothing new any more.

    Args:
        below: Ends the training when ``monitor`` is not above it (Goodfellow's algorithm 7.3); 0: never.
        monitor: A loss of the validation.
    """

    remedy = "train on its own training rows alone, with `dive fit`, or take other data"

    def __init__(self, below: float = 0.0, monitor: str = "val/loss") -> None:
        super().__init__()
        if below < 0:
            raise UserError(f"AllRows: below is {below}: give a loss, or 0")
        self.below, self.monitor = below, monitor

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit":  # the validation rows are trained on, and say nothing of when to stop
            kept: list[Any] = [c for c in trainer.callbacks if not isinstance(c, EarlyStopping)]  # type: ignore[attr-defined]
            trainer.callbacks = kept  # type: ignore[attr-defined]

    def change(self, splits: dict[str, tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        return tuple(torch.cat(parts) for parts in zip(splits["train"], splits["val"], strict=True))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.below:
            if self.monitor not in trainer.callback_metrics:
                raise UserError(f"AllRows: this model does not log {self.monitor}")
            reached = float(trainer.callback_metrics[self.monitor]) <= self.below
            trainer.should_stop = trainer.should_stop or reached


class FewLabels(SplitRows):
    """Hides the class of all but some training rows, as many of each class: for ``PseudoLabels``.

    Args:
        labels: Rows that keep their class.
        seed: Of the draw.
    """

    remedy = "leave -c regularizer/pseudo_labels out, or take other data"

    def __init__(self, labels: int = 500, seed: int = 0) -> None:
        super().__init__()
        if labels < 1:
            raise UserError(f"FewLabels: labels is {labels}: give a number of rows of at least 1")
        self.labels, self.seed = labels, seed

    def change(self, splits: dict[str, tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        *inputs, y = splits["train"]
        if y.ndim != 1 or y.is_floating_point():
            raise UserError("FewLabels needs classes as targets: leave it out for numbers and distributions")
        if self.labels > len(y):
            raise UserError(f"FewLabels: labels is {self.labels}, and there are {len(y)} training rows")
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(self.seed))
        place = torch.zeros(len(y), dtype=torch.long)  # of each row among those of its class
        for number in y.unique():
            own = order[y[order] == number]
            place[own] = torch.arange(len(own))
        keep = (place[order]).argsort(stable=True)[: self.labels]  # the first of each class, then the second, ...
        shown = torch.full_like(y, HIDDEN)
        shown[order[keep]] = y[order[keep]]
        return (*inputs, shown)
