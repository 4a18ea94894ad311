"""A second task for the same features: by how many quarter turns was the image turned?

Goodfellow et al. 7.7: the layers below are shared by several tasks and generalize better, if the tasks have something
in common; each task has a head of its own. The second task here needs no further labels: Gidaris et al. 2018,
"Unsupervised Representation Learning by Predicting Image Rotations". The head is one dense layer on what the network's
own last dense layer sees; the loss is the class's plus ``weight`` times the turn's. Costs a second pass a step.

    dive fit cnn/lenet -c regularizer/multitask
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.tasks.regularizer import PENALTY, Regularizer, above_zero, refuse_inputs

TURNS = 4


class Rotation(Regularizer):
    """A head that is trained to tell the turn of each image; the head is part of the model (``second_heads``).

    Args:
        weight: Of the second task's loss.
    """

    order = PENALTY + 0.2
    needs = "images"

    def __init__(self, weight: float = 0.3) -> None:
        self.weight = above_zero(self, "weight", weight)

    def build(self, net: nn.Module) -> nn.Module:
        return nn.Linear(last_dense(net).in_features, TURNS)

    def penalty(self, task: Any, x: Tensor, logits: Tensor, losses: Tensor) -> Tensor | float:
        refuse_inputs(self, x)
        if x.shape[-1] != x.shape[-2]:
            raise UserError(f"Rotation needs square images, not {x.shape[-2]} x {x.shape[-1]}: leave it out")
        turns = torch.randint(TURNS, (len(x),), device=x.device)
        seen: list[Tensor] = []
        hook = last_dense(task.net).register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        try:
            task.net(turned(x.detach(), turns))
        finally:
            hook.remove()
        return self.weight * F.cross_entropy(task.second_heads[type(self).__name__](seen[0]).float(), turns)


def turned(x: Tensor, turns: Tensor) -> Tensor:
    """Images (B, C, S, S), each turned by its number of quarters (B,)."""
    every = torch.stack([x.rot90(k, (2, 3)) for k in range(TURNS)])  # (4, B, C, S, S)
    return every[turns, torch.arange(len(x), device=x.device)]


def last_dense(net: nn.Module) -> nn.Linear:
    """The network's last dense layer.

    Raises:
        UserError: It has none.
    """
    dense = [module for module in net.modules() if isinstance(module, nn.Linear)]
    if not dense:
        raise UserError(f"Rotation: {type(net).__name__} has no dense layer: leave it out")
    return dense[-1]
