"""Lion: the sign of a momentum, found by a search over programs.

Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2. Each parameter moves by lr, whatever the
size of its gradient, so that the rate is 3 to 10 times lower than Adam's and the decay as much higher. One tensor of
state instead of Adam's two.

    dive fit cnn/lenet --model.optimizer Lion --model.optimizer.lr 0.0003
"""

import torch
from torch import Tensor

from lit_models.optimization.by_hand import ByHand, Group, Params, Tensors


class Lion(ByHand):
    """p <- (1 - lr weight_decay) p - lr sign(b1 m + (1 - b1) g), then m <- b2 m + (1 - b2) g.

    Args:
        params: Parameters, or groups of them.
        lr: Length of a step in each parameter.
        betas: b1 of the step and b2 of the momentum.
        weight_decay: Fraction of a weight, times lr, that is taken off in a step.
        maximize: Go uphill.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, betas=tuple(betas), weight_decay=weight_decay, maximize=maximize)

    def update(self, group: Group, params: list[Tensor], grads: Tensors) -> None:
        (mean,) = self.slots(params, "mean")
        b1, b2 = group["betas"]
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        direction = torch._foreach_sign(torch._foreach_lerp(mean, grads, 1 - b1))
        torch._foreach_add_(params, direction, alpha=-group["lr"])
        torch._foreach_lerp_(mean, grads, 1 - b2)
