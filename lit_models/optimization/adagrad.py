"""AdaGrad: a rate for each parameter, that falls with the squares of the gradients it has seen.

Duchi, Hazan and Singer 2011. D2L 12.7; Goodfellow 8.5.1. Rare features keep a high rate.
Departs from the book, which adds epsilon inside the root: outside as in torch; ``eps_inside=True`` is the book's.

    dive fit optimization/adagrad
"""

import torch
from torch import Tensor

from lit_models.optimization.by_hand import ByHand, Group, Params, Tensors, decayed


class AdaGrad(ByHand):
    """s <- s + g^2, then p <- p - lr g / (sqrt(s) + eps).

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate.
        lr_decay: The rate of step t is lr / (1 + (t - 1) lr_decay).
        weight_decay: Factor of the L2 penalty's gradient.
        initial_accumulator_value: First value of s.
        eps: Keeps the quotient finite.
        eps_inside: sqrt(s + eps) instead, as in D2L.
        maximize: Go uphill.
    """

    sparse = True

    def __init__(
        self,
        params: Params,
        lr: float = 0.01,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        eps_inside: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
            eps_inside=eps_inside,
            maximize=maximize,
        )

    def update(self, group: Group, params: list[Tensor], grads: Tensors) -> None:
        (sums,) = self.slots(params, "sum", value=group["initial_accumulator_value"])
        rates = [-group["lr"] / (1 + (t - 1) * group["lr_decay"]) for t in self.steps(params)]
        if any(g.is_sparse for g in grads):
            for p, g, s, rate in zip(params, grads, sums, rates, strict=True):
                sparse_update(p, g, s, rate, group)
            return
        grads = decayed(grads, params, group["weight_decay"])
        torch._foreach_addcmul_(sums, grads, grads, value=1)
        torch._foreach_addcdiv_(params, grads, roots(sums, group), rates)


def roots(squares: Tensors, group: Group) -> Tensors:
    """sqrt(s) + eps, or sqrt(s + eps), of each tensor."""
    if group["eps_inside"]:
        return torch._foreach_sqrt(torch._foreach_add(squares, group["eps"]))
    found = torch._foreach_sqrt(squares)
    torch._foreach_add_(found, group["eps"])
    return found


def sparse_update(p: Tensor, g: Tensor, s: Tensor, rate: float, group: Group) -> None:
    """The same where only some rows have a gradient: the others are not touched, and not decayed."""
    g = g.coalesce() if g.is_sparse else g.to_sparse().coalesce()
    index, values = g.indices(), g.values()
    rows = tuple(index)
    new = s[rows] + values.square()
    s[rows] = new
    (root,) = roots([new], group)
    p.index_put_(rows, rate * values / root, accumulate=True)
