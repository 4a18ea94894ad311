"""What adversarial training does around its steps: averaged weights, a frozen network, schedules of two optimizers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.tasks.schedules import run_length


@torch.no_grad()
def move_average(average: nn.Module, source: nn.Module, keep: float) -> None:
    """Moves averaged weights toward a network's; its buffers, such as running statistics, are copied.

    Args:
        average: A copy of ``source``, changed in place.
        source: The network that is trained.
        keep: The weight of the old average.
    """
    averages: list[Tensor] = list(average.parameters())
    weights: list[Tensor] = list(source.parameters())
    torch._foreach_lerp_(averages, weights, 1 - keep)
    for mine, its in zip(average.buffers(), source.buffers(), strict=True):
        mine.copy_(its)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within the context the module's parameters get no gradient; what is computed through it does."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


def rescaled(optimizer: torch.optim.Optimizer, factor: float) -> torch.optim.Optimizer:
    """The optimizer with learning rates times ``factor``, and betas to that power: for one that takes 1 / factor as
    many steps (Karras et al. 2020, appendix B).
    """
    for group in optimizer.param_groups if factor != 1 else ():
        group["lr"] *= factor
        if "betas" in group:
            group["betas"] = tuple(beta**factor for beta in group["betas"])
    return optimizer


def schedule_of(model: Any, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """A ``Task``'s schedule for one of its optimizers, as ``configure_optimizers`` returns it."""
    scheduler: Any = model.lr_scheduler(optimizer)
    interval = getattr(scheduler, "interval", model.lr_interval)
    if hasattr(scheduler, "set_length") and model._trainer is not None:
        scheduler.set_length(run_length(model.trainer, interval))
    return {"scheduler": scheduler, "interval": interval, "monitor": model.lr_monitor}


def step_schedules(trainer: Any, interval: str, monitor: str) -> None:
    """Moves the schedules of an interval, ``step`` or ``epoch``, which Lightning leaves to manual optimization.

    Args:
        trainer: Has the schedules.
        interval: Which of them.
        monitor: The metric that ``ReduceLROnPlateau`` watches; it waits until there is one.
    """
    for config in trainer.lr_scheduler_configs:
        if config.interval == interval:
            watched = [trainer.callback_metrics.get(monitor)] if config.reduce_on_plateau else []
            if None not in watched:
                config.scheduler.step(*watched)


def refuse_to_train(model: Any) -> None:
    """Refuses an ``Adversarial`` task with a trainer under which it would learn nothing.

    Raises:
        UserError: Too few rows; or pure half precision, which rounds away the small steps of averaged weights and has
            no penalties on gradients.
    """
    refuse_few_rows(model.trainer.train_dataloader, model.trainer.world_size)
    names = ("ema_half_life", "gradient_penalty", "r1_gamma", "path_weight")
    used = [f"model.{name}" for name in names if getattr(model, name, 0)]
    precision = str(model.trainer.precision)
    if used and precision in ("bf16-true", "16-true"):
        raise UserError(f"trainer.precision {precision} is too coarse for {' and '.join(used)}: give bf16-mixed")


def refuse_few_rows(loader: Any, world: int) -> None:
    """Refuses a train split without a whole batch for each process: statistics of two rows train no discriminator.

    Raises:
        UserError: Too few rows.
    """
    size, tensors = getattr(loader, "batch_size", None), getattr(loader, "tensors", None)
    if size and tensors and len(tensors[0]) // world < size:
        each = f" on each of {world} processes" if world > 1 else ""
        raise UserError(
            f"the train split has {len(tensors[0])} rows, fewer than one batch of {size}{each}: give a smaller "
            "--data.batch_size"
        )
