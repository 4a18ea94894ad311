"""Penalties on weights and on hidden activities: L1, L2, elastic net, sparse representations.

Goodfellow et al. 7.1 and 7.10; Zou and Hastie 2005 (elastic net). Biases and the gains of normalization layers are left
free. ``train/loss`` is the error without the penalties. With Adam, an L2 penalty in the loss is not weight decay
(Loshchilov and Hutter 2019), which is an argument of the optimizer:
``--model.optimizer AdamW --model.decay_biases false``.

    dive fit cnn/lenet -c regularizer/l1
    dive fit cnn/lenet -c regularizer/l2
    dive fit cnn/lenet -c regularizer/elastic_net
    dive fit cnn/lenet -c regularizer/activity
"""

from typing import Any

from torch import Tensor, nn

from common.messages import UserError
from common.weights import is_weight
from lit_models.tasks.regularizer import PENALTY, Regularizer, between


class WeightPenalty(Regularizer):
    """l1 sum |w| + l2 / 2 sum w^2 over the weights. Both at once are the elastic net.

    Args:
        l1: Makes weights small, many of them nearly zero.
        l2: Makes weights small.
    """

    order = PENALTY + 0.5

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = between(self, "l1", l1, 0), between(self, "l2", l2, 0)

    def penalty(self, task: Any, x: Tensor, logits: Tensor, losses: Tensor) -> Tensor | float:
        total: Tensor | float = 0.0
        for name, weight in task.named_parameters():
            if weight.requires_grad and is_weight(name, weight):
                if self.l1:
                    total = total + self.l1 * weight.abs().sum()
                if self.l2:
                    total = total + self.l2 / 2 * weight.square().sum()
        return total


class ActivityPenalty(Regularizer):
    """weight times the mean absolute activity before the network's last dense layer: a sparse representation.

    Args:
        weight: Of the penalty.
    """

    order = PENALTY + 0.1  # before the penalties that use the network again

    def __init__(self, weight: float = 0.01) -> None:
        self.weight = between(self, "weight", weight, 0)
        self.seen: list[Tensor] = []  # of the forward pass of this step
        self.hook: Any = None

    def batch(self, task: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        dense = [module for module in task.net.modules() if isinstance(module, nn.Linear)]
        if not dense:
            raise UserError(f"ActivityPenalty: {type(task.net).__name__} has no dense layer: leave it out")
        self.seen.clear()
        self.hook = dense[-1].register_forward_pre_hook(lambda module, inputs: self.seen.append(inputs[0]))
        return x, y

    def penalty(self, task: Any, x: Tensor, logits: Tensor, losses: Tensor) -> Tensor | float:
        self.hook.remove()
        activities, self.hook = self.seen[0], None
        self.seen.clear()
        return self.weight * activities.abs().mean()
