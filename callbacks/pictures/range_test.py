"""The learning-rate range test: ``range_test.png``, the training loss while the rate grows from batch to batch.

Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3. The rate grows by the same factor with
each batch. Where the curve falls most steeply training is fast; a little beyond its lowest point it diverges. Two usual
choices are marked: the steepest point, and a tenth of the lowest point's rate. What is drawn is an exponentially
weighted mean of the losses, divided by the sum of its weights, as Adam does; the test ends when it exceeds four times
its least value.

    dive fit cnn/lenet -c trainer/range_test
    dive fit cnn/lenet -c trainer/range_test --model.optimizer AdamW

All parameter groups keep their ratios, and schedules have no effect. The run trains nothing: its weights are those of
the first step again.
"""

import math
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.finite_loss import FiniteLoss
from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import FitPicture
from common.messages import UserError, note

KEEP = 0.9  # of the mean loss from one batch to the next
WARM = 20  # steps until the mean has forgotten how it began


class RangeTest(FitPicture):
    """Raises the learning rate from ``low`` to ``high``, draws the loss and ends the run.

    Args:
        low: The first rate.
        high: The last rate.
        num_steps: Steps of the optimizer from one to the other.
        factor: The test ends when the mean loss exceeds its least value so many times.

    Raises:
        UserError: Rates that do not grow, fewer than ten steps, or a run that is resumed.
    """

    name = "range_test"
    trains_nothing = True  # no checkpoint is left that `dive test` would take for a trained model's

    def __init__(self, low: float = 1e-6, high: float = 10.0, num_steps: int = 100, factor: float = 4.0) -> None:
        if not 0 < low < high < math.inf:
            raise UserError(
                f"RangeTest: low is {low} and high {high}: give rates greater than 0, the larger one second"
            )
        if num_steps < 10 or factor <= 1:
            raise UserError(
                f"RangeTest: num_steps is {num_steps} and factor {factor}: give at least 10, and more than 1"
            )
        self.low, self.high, self.num_steps, self.factor = low, high, num_steps, factor
        self.rate = low
        self.rates: list[float] = []
        self.losses: list[float] = []  # the mean over processes
        self.ratios: list[list[float]] = []  # of each group to the first one, for each optimizer
        self.first: dict[str, Tensor] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        unwanted = (ModelCheckpoint, FiniteLoss)  # a loss that is not finite is how the test may end
        kept: list[Any] = [c for c in trainer.callbacks if not isinstance(c, unwanted)]  # type: ignore[attr-defined]
        trainer.callbacks = kept  # type: ignore[attr-defined]

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_fit_end(trainer, pl_module)
        if trainer.is_global_zero:
            (Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt").unlink(missing_ok=True)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step:
            raise UserError("a learning-rate range test begins with a new run: leave out --resume")
        self.first = {name: value.detach().clone() for name, value in pl_module.state_dict().items()}
        groups = [optimizer.param_groups for optimizer in trainer.optimizers]
        if not all(group["lr"] > 0 for each in groups for group in each):
            raise UserError("RangeTest: an optimizer without a learning rate greater than 0 has no range")
        self.ratios = [[group["lr"] / each[0]["lr"] for group in each] for each in groups]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.rate = self.low * (self.high / self.low) ** (trainer.global_step / (self.num_steps - 1))
        for optimizer, ratios in zip(trainer.optimizers, self.ratios, strict=True):
            for group, ratio in zip(optimizer.param_groups, ratios, strict=True):
                group["lr"] = self.rate * ratio

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if loss is None or len(self.losses) >= trainer.global_step:  # nothing yet, or a part of an accumulated batch
            return
        self.losses.append(float(trainer.strategy.reduce(loss.detach().float().clone(), reduce_op="mean")))
        self.rates.append(self.rate)
        mean = smoothed(self.losses)
        grown = mean[-1] > self.factor * min(mean) if min(mean) > 0 else False
        if trainer.global_step >= self.num_steps or grown or not math.isfinite(mean[-1]):
            pl_module.load_state_dict(self.first)
            trainer.should_stop = True

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self.losses:  # it diverged in a single step
            self.finish(trainer, self.look(trainer, pl_module))

    def look(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, list[float]] | None:
        finite = [k for k, value in enumerate(self.losses) if math.isfinite(value)]
        if len(finite) < 3:
            return None
        return {"rates": [self.rates[k] for k in finite], "losses": smoothed([self.losses[k] for k in finite])}

    def draw(self, trainer: Trainer, found: dict[str, list[float]]) -> Figure:
        chosen = suggestions(found["rates"], found["losses"])
        figure = new_figure(6, 4)
        axes = figure.add_subplot(xscale="log", xlabel="learning rate", ylabel="training loss, smoothed")
        axes.plot(found["rates"], found["losses"])
        for (what, rate), style in zip(chosen.items(), ("--", ":"), strict=False):  # none where it never fell
            axes.axvline(rate, linestyle=style, color="black", label=f"{what}: {rate:.1e}")
        axes.set_ylim(
            min(found["losses"]), max(2 * found["losses"][0] - min(found["losses"]), min(found["losses"]) + 1e-9)
        )
        if chosen:
            axes.legend()
            note(f"learning rates to try: {', '.join(f'{rate:.1e} ({what})' for what, rate in chosen.items())}")
        else:
            note("the loss did not fall at any rate, as that of adversarial networks may not: no rate is suggested")
        return figure


def smoothed(losses: list[float]) -> list[float]:
    """The exponentially weighted mean up to each loss."""
    mean, means = 0.0, []
    for k, loss in enumerate(losses, 1):
        mean = KEEP * mean + (1 - KEEP) * loss
        means.append(mean / (1 - KEEP**k))
    return means


def suggestions(rates: list[float], losses: list[float]) -> dict[str, float]:
    """The rate at which the losses fall most steeply over the logarithm of the rate, before their lowest point; and a
    tenth of that of the lowest point. Nothing where they begin at their lowest point.

    The first means are of few losses, and their slope is noise: they are skipped.
    """
    low = min(range(len(losses)), key=losses.__getitem__)
    if low < 2:
        return {}
    (slope,) = torch.gradient(torch.tensor(losses[: low + 1]), spacing=(torch.tensor(rates[: low + 1]).log(),))
    begin = WARM if low > 2 * WARM else 0
    return {"steepest": rates[begin + int(slope[begin:].argmin())], "a tenth of the lowest point's": rates[low] / 10}
