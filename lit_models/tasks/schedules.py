"""Learning rates over a run: each takes its length from the run (``--trainer.max_epochs``, ``--trainer.max_steps``).

``Task`` tells a schedule how long the run is, in optimizer steps, or in epochs with ``lr_interval: epoch``. A run that
is resumed with a larger length continues with the rate that a run of the new length has at that step.

- ``Cosine``: decreases along a cosine to zero. ``WarmupCosine``: a linear warm-up before that. Loshchilov and Hutter
  2017; Goyal et al. 2017 (warm-up); D2L 12.11. The one-cycle schedule of Smith and Topin 2017 without its momentum.
- ``Noam``: increases linearly, then decreases with the inverse square root of the step. Vaswani et al. 2017,
  equation 3.
- ``Sequential``: several schedules, one after the other.
"""

import math
from collections.abc import Sequence
from typing import Any

from lightning.pytorch.cli import LRSchedulerCallable
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, SequentialLR

from common.messages import UserError, note


class Cosine(LRScheduler):
    """Each group's rate falls from the optimizer's own along a cosine to zero.

    Args:
        optimizer: Whose rates are moved.
        total: Length in steps or epochs; 0 means the whole run.
    """

    def __init__(self, optimizer: Optimizer, total: int = 0) -> None:
        self.total, self.of_run = total, total == 0
        super().__init__(optimizer)

    def set_length(self, total: int) -> None:
        """Sets the length of the run, unless one was given."""
        if self.of_run:
            self.total = total

    def factor(self, step: int) -> float:
        """The factor of the optimizer's rate in a step, counted from 0; zero after the end."""
        return (1 + math.cos(math.pi * min(1.0, step / self.total))) / 2 if self.total else 1.0

    def get_lr(self) -> list[float | Tensor]:
        return [base * self.factor(self.last_epoch) for base in self.base_lrs]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keeps the length of this run; if it differs from the saved one, the rates of the new length apply at once."""
        total, state = self.total, dict(state_dict)
        if self.of_run and state.pop("total", total) != total:
            note(f"the schedule was {state_dict['total']} long and is {total} now: the rate goes on as in such a run")
            super().load_state_dict(state)
            for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
                group["lr"] = rate
        else:
            super().load_state_dict(state)


class WarmupCosine(Cosine):
    """Each group's rate rises from ``start`` times the optimizer's rate to that rate, then follows a cosine to zero.

    Args:
        optimizer: Whose rates are moved.
        total: Length in optimizer steps; 0 means the whole run.
        warmup: Fraction of the run in which the rate rises.
        start: The first rate as a fraction of the peak, where there is a warm-up.

    Raises:
        UserError: ``warmup`` is not a fraction.
    """

    interval = "step"  # whatever ``lr_interval`` is: by epochs, a warm-up would have only a few steps

    def __init__(self, optimizer: Optimizer, total: int = 0, warmup: float = 0.25, start: float = 0.04) -> None:
        if not 0 <= warmup < 1:
            raise UserError(f"warmup is {warmup}: give a fraction of the run, at least 0 and less than 1")
        self.warmup, self.start = warmup, start
        super().__init__(optimizer, total)

    def factor(self, step: int) -> float:
        if self.total == 0:  # not known yet: the first rate
            return self.start if self.warmup else 1.0
        rise = self.warmup * self.total
        if step < rise:
            return self.start + (1 - self.start) * step / rise
        done = min(1.0, (step - rise) / (self.total - rise))
        return (1 + math.cos(math.pi * done)) / 2


class Noam(LambdaLR):
    """rate = lr * hidden_size^-0.5 * min(step^-0.5, step * warmup_steps^-1.5), in optimizer steps.

    Args:
        optimizer: Its ``lr`` is a factor: 1 in the paper.
        hidden_size: Features of a token.
        warmup_steps: 4,000 in the paper; the rate is highest there.
    """

    interval = "step"  # whatever ``lr_interval`` is: the formula counts steps

    def __init__(self, optimizer: Optimizer, hidden_size: int, warmup_steps: int) -> None:
        self.hidden_size, self.warmup_steps = hidden_size, warmup_steps
        super().__init__(optimizer, self.factor)

    def factor(self, step: int) -> float:
        """The factor of ``lr`` in optimizer step ``step``, counted from 0."""
        n = step + 1
        return float(self.hidden_size**-0.5 * min(n**-0.5, n * self.warmup_steps**-1.5))


class Sequential(SequentialLR):
    """Several schedules one after the other; each counts steps from its own beginning.

    Args:
        optimizer: Whose rates are moved.
        schedules: Functions that each make a schedule from an optimizer.
        milestones: Where each schedule except the first begins, in steps or epochs.
    """

    def __init__(
        self, optimizer: Optimizer, schedules: Sequence[LRSchedulerCallable], milestones: Sequence[int]
    ) -> None:
        super().__init__(optimizer, [make(optimizer) for make in schedules], list(milestones))  # type: ignore[misc]

    def set_length(self, total: int) -> None:
        """Gives each schedule that needs the length of the run the length of its own part."""
        edges = [0, *self._milestones, max(total, self._milestones[-1] + 1)]
        for schedule, begin, end in zip(self._schedulers, edges, edges[1:], strict=False):
            if hasattr(schedule, "set_length"):
                schedule.set_length(end - begin)


def run_length(trainer: Any, interval: str) -> int:
    """The length of a run in optimizer steps or in epochs.

    Raises:
        UserError: It has no end.
    """
    loop = trainer.fit_loop
    resumed, loader = trainer.ckpt_path is not None, loop._combined_loader
    steps = trainer.estimated_stepping_batches
    if resumed and loader is None:  # it has just been made to be counted, before the checkpoint is restored: made again
        loop._combined_loader = None  # after that, it takes its position within the epoch (Lightning 2.6.6)
    if steps in (float("inf"), -1):
        raise UserError(
            "trainer.max_epochs: the schedule takes its length from the run, which has no end: give "
            "--trainer.max_epochs or --trainer.max_steps, or the schedule its own length (model.lr_scheduler.total)"
        )
    if interval == "step":
        return int(steps)
    per_epoch = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
    return max(1, math.ceil(steps / max(1, per_epoch)))
