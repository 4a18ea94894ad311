"""Max-norm: after each step, the weights into each unit are projected onto a ball.

Srebro et al. 2005; Hinton et al. 2012; Srivastava et al. 2014, section 5.1. Goodfellow et al. 7.2: a constraint does
not pull small weights toward zero, and large steps cannot run away.

    dive fit cnn/lenet -c regularizer/max_norm
"""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from common.messages import UserError
from common.weights import is_weight


class MaxNorm(Callback):
    """Limits the norm of the weights into each unit or feature map; biases are free.

    The inputs of a unit are all dimensions of a weight but the first, or the last ones, as many as the layer's
    ``input_dims`` says, where units have several dimensions (unshared and tiled convolutions).

    Args:
        limit: The largest norm.

    Raises:
        UserError: ``limit`` is not above 0.
    """

    def __init__(self, limit: float = 3.0) -> None:
        if not limit > 0:
            raise UserError(f"MaxNorm: limit is {limit}: give a number above 0; 3 to 4 is usual")
        self.limit = limit

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if any(getattr(optimizer, "averages", False) for optimizer in trainer.optimizers):
            raise UserError(
                "MaxNorm limits the weights of training, not the optimizer's mean of them: use one of the two"
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        for module in pl_module.modules():
            for name, weight in module.named_parameters(recurse=False):
                if weight.requires_grad and is_weight(name, weight):
                    project(weight, self.limit, getattr(module, "input_dims", weight.ndim - 1))


@torch.no_grad()
def project(weight: Tensor, limit: float, input_dims: int) -> None:
    """Scales the weights into each unit whose norm is above ``limit`` down to it, in place.

    Args:
        weight: (units, ..., inputs, ...).
        limit: The largest norm.
        input_dims: So many of the last dimensions are the inputs of one unit.
    """
    first = weight.ndim - input_dims
    norms = weight.flatten(first).norm(dim=-1).clamp(min=limit)
    weight.mul_((limit / norms).view(*norms.shape, *[1] * input_dims))
