"""What an optimizer may ask of the run it is used in. ``Task`` looks for these attributes; most optimizers have none.

- ``needs_graph``: the backward pass leaves the graph of the gradient (Newton's method).
- ``check_run(trainer)``: refuses a run that it cannot serve, such as one that accumulates gradients (line searches).
- ``averages``: evaluation and checkpoints have other weights than training (Polyak averaging, schedule-free). It has
  ``eval()`` and ``train()``, which switch the parameters, and ``evaluated_weights(p)``, whichever ``p`` holds.
  A checkpoint then has the weights that were validated, and the optimizer's state has those of training, from
  which it resumes.
"""

from typing import Any

from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from common.messages import UserError


def optimizers_of(model: LightningModule) -> list[Any]:
    """The optimizers of the run; none without a trainer, or in a run that does not train."""
    trainer = getattr(model, "_trainer", None)
    return list(trainer.optimizers) if trainer is not None else []


def needs_graph(optimizer: Optimizer) -> bool:
    """Whether the backward pass must leave the graph of the gradient."""
    return bool(getattr(optimizer, "needs_graph", False))


def check_run(model: LightningModule) -> None:
    """Lets each optimizer refuse the run (``UserError``); one that averages is not used with divided networks, whose
    checkpoints are put together from the weights of training.
    """
    for optimizer in optimizers_of(model):
        if getattr(optimizer, "averages", False) and is_divided(model):
            raise UserError(
                f"{type(optimizer).__name__} averages weights, which is not done here for a network that is divided "
                "among processes: train with -c trainer/ddp"
            )
        if hasattr(optimizer, "check_run"):
            optimizer.check_run(model.trainer)


def is_divided(model: LightningModule) -> bool:
    """Whether each process has a part of the network: by tensor or pipeline parallelism, or divided by itself."""
    return getattr(model.trainer.strategy, "part", None) is not None or bool(getattr(model, "split", None))


def switch(model: LightningModule, training: bool) -> None:
    """Puts the weights of training, or those of evaluation, into the parameters."""
    for optimizer in optimizers_of(model):
        if getattr(optimizer, "averages", False):
            if training and model.trainer.state.fn == "fit":
                optimizer.train()
            elif not training:
                optimizer.eval()


def evaluated_state(model: LightningModule) -> dict[str, Tensor]:
    """The parameters as a checkpoint has them where an optimizer averages; else nothing."""
    averaging = [o for o in optimizers_of(model) if getattr(o, "averages", False)]
    if not averaging:
        return {}
    owner = {p: o for o in averaging for group in o.param_groups for p in group["params"]}
    return {name: owner[p].evaluated_weights(p) for name, p in model.named_parameters() if p in owner}
