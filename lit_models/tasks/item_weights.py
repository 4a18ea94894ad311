"""The gradient of the mean over all items of a step, for any number of processes and accumulated batches.

Lightning divides each batch's loss by ``accumulate_grad_batches``, and DDP takes the mean over the processes. The
result is a mean of means, in which the items of a short batch (tokens that are not padding, rows of an epoch's last
batch) have a larger weight. Here each batch's gradient is weighted by its number of items, and the sum is divided by
the number of all items before the optimizer's step and before clipping. A step then equals that of one large batch,
also when an epoch ends before the last step has all of its batches.
"""

from collections.abc import Iterable
from typing import Any

from lightning.pytorch import LightningModule
from torch import Tensor

from lit_models.tasks.processes import mean_over_processes, rank_and_world


class ItemWeights:
    """The items of one optimizer step.

    The number of all items is known only after the last batch. Until then batches are weighted relative to the first.
    """

    def __init__(self) -> None:
        self.count: int | Tensor | None = None  # of the batch whose loss was computed last
        self.first: float | Tensor | None = None  # the step's first batch, a mean over the processes
        self.total: float | Tensor = 0.0  # all batches of the step so far, likewise

    def weight(self, model: LightningModule, batches: int) -> float | Tensor:
        """The factor for the loss of the most recently recorded batch, applied before its backward pass.

        Args:
            model: The task; it gives the number of processes.
            batches: How many batches a step accumulates.
        """
        count, self.count = self.count, None
        alone = batches == 1 and (rank_and_world(model)[1] == 1 or not isinstance(count, Tensor))
        if count is None or alone:  # a loader's batches have as many rows in each process
            return 1.0
        mean = mean_over_processes(model, count) if isinstance(count, Tensor) else float(count)
        if self.first is None:
            self.first, self.total = at_least_one(mean), 0.0
        self.total = self.total + mean
        return count / self.first

    def divide(self, parameters: Iterable[Any], batches: int) -> None:
        """Turns the accumulated gradients into those of the mean over all items. ``batches`` as in ``weight``."""
        if self.first is not None and batches > 1:
            factor = float(batches * self.first / at_least_one(self.total))
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(factor)
        self.first = None


def at_least_one(count: float | Tensor) -> float | Tensor:
    """The count, or 1 where nothing was counted: the loss is 0 there."""
    return count.masked_fill(count == 0, 1) if isinstance(count, Tensor) else count or 1.0
