"""Stochastic weight averaging: the mean of the weights at the ends of the last epochs, with their own statistics.

Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization". The learning rate should not
fall to zero: the epochs would all end at the same point.

The running statistics of batch normalization belong to other weights than the mean. Before each validation a pass over
the training data, without augmentation, computes them anew.

    dive fit cnn/batch_norm -c regularizer/swa

With ``last`` it is the mean of the last so many epochs' checkpoints, as translation models are tested (Vaswani et al.
2017, 6.1).
"""

from collections.abc import Callable
from copy import copy
from itertools import count
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn

from callbacks.weight_averaging import take_precision
from common.messages import UserError


class SWA(WeightAveraging):
    """Validation, test and the checkpoints use the mean; until it begins, the weights themselves.

    Args:
        start: The fraction of the run's epochs after which the mean begins.
        last: Instead of ``start``: the mean is of the ends of the last so many epochs; 0 goes by ``start``.

    Raises:
        UserError: ``start`` is not from 0 to below 1, or ``last`` is negative or more than the run's epochs.
    """

    def __init__(self, start: float = 0.6, last: int = 0) -> None:
        if not 0 <= start < 1:
            raise UserError(f"SWA: start is {start}: give a fraction of the run of at least 0 and below 1")
        if last < 0:
            raise UserError(f"SWA: last is {last}: give a number of epochs, or 0")
        super().__init__(use_buffers=True, multi_avg_fn=mean_with)
        self.start, self.last = start, last
        self.epoch_steps = self.start_step = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            take_precision(self._average_model, str(trainer.precision), "SWA")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epochs = trainer.max_epochs or 0
        if epochs < 1:
            raise UserError("SWA counts epochs: give --trainer.max_epochs")
        self.epoch_steps = max(1, int(trainer.estimated_stepping_batches) // epochs)
        if self.last > epochs:
            raise UserError(f"SWA: last is {self.last}, but the run has {epochs} epochs: give at most so many")
        first = epochs - self.last + 1 if self.last else max(1, int(self.start * epochs))
        self.start_step = first * self.epoch_steps

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """After each step until the mean begins, then after the last step of each epoch."""
        if step_idx is None or self._average_model is None:
            return False
        since = step_idx + 1 - self.start_step
        if since <= 0:  # a mean of one
            self._average_model.n_averaged.zero_()
        return since <= 0 or since % self.epoch_steps == 0

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_epoch_start(trainer, pl_module)
        if self._average_model is not None and int(self._average_model.n_averaged) > 1:
            renew_statistics(trainer, pl_module)


@torch.no_grad()
def mean_with(means: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
    """Means of ``count`` terms become those of one more, in place."""
    if means[0].is_floating_point():
        torch._foreach_lerp_(means, current, 1 / (int(count) + 1))
    else:  # batch normalization counts its batches
        torch._foreach_copy_(means, current)


@torch.no_grad()
def renew_statistics(trainer: Any, module: LightningModule) -> None:
    """The running statistics of batch normalization as means over the batches of an epoch of training data."""
    norms: list[Any] = [m for m in module.modules() if keeps_statistics(m) and not is_frozen(m)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    hooks = [norm.register_forward_pre_hook(mean_of_all_calls()) for norm in norms]
    for norm in norms:
        norm.running_mean.zero_()
        norm.running_var.fill_(1)
        if getattr(norm, "num_batches_tracked", None) is not None:
            norm.num_batches_tracked.zero_()
        norm.train()
    loader = copy(trainer.train_dataloader)  # the loader keeps its place
    if hasattr(loader, "batch"):
        loader.batch = 0
    see: Callable[[Any, int], Any] = getattr(module, "see_batch", lambda batch, number: module(batch[0]))
    for number, batch in enumerate(loader):
        batch = module._apply_batch_transfer_handler(batch, device=module.device, dataloader_idx=0)
        # a compiled network would be compiled again for each momentum
        with trainer.precision_plugin.forward_context(), torch.compiler.set_stance("force_eager"):
            see(batch, number)
    for norm, momentum, hook in zip(norms, momenta, hooks, strict=True):
        hook.remove()
        norm.momentum = momentum
        norm.eval()
        if trainer.world_size > 1:
            for buffer in (norm.running_mean, norm.running_var):
                buffer.copy_(module.all_gather(buffer).mean(0))  # type: ignore[union-attr]


def keeps_statistics(module: nn.Module) -> bool:
    """Whether a layer, torch's or another, keeps running statistics that it moves by its momentum."""
    statistics = (getattr(module, name, None) for name in ("running_mean", "running_var"))
    kept = hasattr(module, "momentum") and getattr(module, "track_running_stats", True)
    return kept and all(isinstance(one, Tensor) for one in statistics)


def mean_of_all_calls() -> Callable[[Any, Any], None]:
    """A hook before a layer's calls, whose momentum gives all calls the same weight in the running statistics."""
    calls = count(1)

    def before(norm: Any, inputs: Any) -> None:
        norm.momentum = 1 / next(calls)

    return before


def is_frozen(norm: Any) -> bool:
    """Whether a normalization does not learn, so that its statistics are those that its weights came with."""
    return getattr(norm, "affine", True) and not any(p.requires_grad for p in norm.parameters())
