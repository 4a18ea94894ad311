"""RMSProp and Adadelta: AdaGrad that forgets.

Tieleman and Hinton 2012 (lecture 6.5); Graves 2013 (centered); Zeiler 2012 (Adadelta). D2L 12.8 and 12.9; Goodfellow
8.5.2. AdaGrad's sum only grows, so that its rates fall like 1 / sqrt(t); a leaky mean of the squares follows the
present. Adadelta replaces the rate by the root mean square of its own last steps.
Departs from the book, which adds RMSProp's epsilon inside the root: outside as in torch; ``eps_inside=True`` is the
book's.

    dive fit optimization/rmsprop
"""

import torch
from torch import Tensor

from lit_models.optimization.adagrad import roots
from lit_models.optimization.by_hand import ByHand, Group, Params, Tensors, decayed


class RMSProp(ByHand):
    """s <- alpha s + (1 - alpha) g^2, then p <- p - lr g / (sqrt(s) + eps).

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate.
        alpha: How much of s stays (D2L's gamma).
        eps: Keeps the quotient finite.
        weight_decay: Factor of the L2 penalty's gradient.
        momentum: How much of the velocity stays, v <- momentum v + g / root; the step is then lr v.
        centered: Divide by the standard deviation of the gradient instead, sqrt(s - mean^2).
        eps_inside: sqrt(s + eps) instead, as in D2L.
        maximize: Go uphill.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        eps_inside: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
            eps_inside=eps_inside,
            maximize=maximize,
        )

    def update(self, group: Group, params: list[Tensor], grads: Tensors) -> None:
        names = ["square"] + ["mean"] * group["centered"] + ["velocity"] * (group["momentum"] > 0)
        state = dict(zip(names, self.slots(params, *names), strict=True))
        grads, alpha = decayed(grads, params, group["weight_decay"]), group["alpha"]
        variance: Tensors = leaky_square(state["square"], grads, alpha)
        if group["centered"]:
            torch._foreach_lerp_(state["mean"], grads, 1 - alpha)
            variance = torch._foreach_addcmul(variance, state["mean"], state["mean"], value=-1)
        root = roots(variance, group)
        if group["momentum"]:
            torch._foreach_mul_(state["velocity"], group["momentum"])
            torch._foreach_addcdiv_(state["velocity"], grads, root)
            torch._foreach_add_(params, state["velocity"], alpha=-group["lr"])
        else:
            torch._foreach_addcdiv_(params, grads, root, value=-group["lr"])


class Adadelta(ByHand):
    """s <- rho s + (1 - rho) g^2; d = sqrt((a + eps) / (s + eps)) g; p <- p - lr d; a <- rho a + (1 - rho) d^2.

    Args:
        params: Parameters, or groups of them.
        lr: A factor of the step: 1 in the paper, which has no rate.
        rho: How much of s and a stays.
        eps: Also the size of the first steps.
        weight_decay: Factor of the L2 penalty's gradient.
        maximize: Go uphill.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize)

    def update(self, group: Group, params: list[Tensor], grads: Tensors) -> None:
        squares, steps = self.slots(params, "square", "step_square")
        grads, rho, eps = decayed(grads, params, group["weight_decay"]), group["rho"], group["eps"]
        leaky_square(squares, grads, rho)
        delta = torch._foreach_sqrt(torch._foreach_add(steps, eps))
        torch._foreach_div_(delta, torch._foreach_sqrt(torch._foreach_add(squares, eps)))
        torch._foreach_mul_(delta, list(grads))
        leaky_square(steps, delta, rho)
        torch._foreach_add_(params, delta, alpha=-group["lr"])


def leaky_square(squares: list[Tensor], values: Tensors, keep: float) -> list[Tensor]:
    """s <- keep s + (1 - keep) x^2 in place; returns s."""
    torch._foreach_mul_(squares, keep)
    torch._foreach_addcmul_(squares, values, values, value=1 - keep)
    return squares
