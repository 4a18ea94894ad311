"""Max-norm: after each step, the weights into each unit are projected onto a ball.

Srebro et al. 2005; Hinton et al. 2012; Srivastava et al. 2014, section 5.1. Goodfellow et al. 7.2: a constraint does
not pull small weights towards zero, and large steps cannot run away.

    dive fit cnn/lenet -c regularizer/max_norm
"""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from common.messages import UserError


class MaxNorm(Callback):
    """Limits the norm of the weights into each unit or feature map; biases are free.

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
        for weight in pl_module.parameters():
            if weight.requires_grad and weight.ndim >= 2:
                project(weight, self.limit)


@torch.no_grad()
def project(weight: Tensor, limit: float) -> None:
    """Scales the rows of a weight (units, ...) whose norm is above ``limit`` down to it, in place."""
    norms = weight.flatten(1).norm(dim=1).clamp(min=limit)
    weight.mul_((limit / norms).view(-1, *[1] * (weight.ndim - 1)))
