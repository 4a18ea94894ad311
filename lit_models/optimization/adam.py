"""Adam, AdamW and Yogi: momentum and a rate for each parameter, both corrected for their start at zero.

Kingma and Ba 2015; Loshchilov and Hutter 2019 (AdamW); Zaheer et al. 2018 (Yogi); Reddi et al. 2018 (AMSGrad). D2L
12.10; Goodfellow 8.5.3. Adam divides a decay in the gradient by the root too, so that weights with large gradients
decay less; AdamW decays the weights themselves. Yogi's second moment moves by at most (1 - beta2) g^2 in a step, so
that it cannot fall suddenly.
Departs from the book: it writes epsilon 1e-6 into the code and has no decay.

    dive fit optimization/descend
"""

import torch
from torch import Tensor

from lit_models.optimization.by_hand import ByHand, Group, Params, Tensors, decayed
from lit_models.optimization.rmsprop import leaky_square

Betas = tuple[float, float]


class Adam(ByHand):
    """m <- b1 m + (1 - b1) g; s <- b2 s + (1 - b2) g^2; p <- p - lr m' / (sqrt(s') + eps).

    m' = m / (1 - b1^t) and s' = s / (1 - b2^t) with t from 1.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate: about the length of a step in each parameter.
        betas: b1 and b2.
        eps: Keeps the quotient finite.
        weight_decay: Factor of the L2 penalty's gradient.
        amsgrad: Divide by the largest s so far.
        maximize: Go uphill.
    """

    decoupled = False  #: whether the weights decay apart from the gradient

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=tuple(betas),
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
        )

    def update(self, group: Group, params: list[Tensor], grads: Tensors) -> None:
        names = ["mean", "square"] + ["largest"] * group["amsgrad"]
        mean, square, *largest = self.slots(params, *names)
        if self.decoupled:
            torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        else:
            grads = decayed(grads, params, group["weight_decay"])
        b1, b2 = group["betas"]
        torch._foreach_lerp_(mean, grads, 1 - b1)
        self.second_moment(square, grads, b2)
        if largest:
            torch._foreach_maximum_(largest[0], square)
            square = largest[0]
        steps = self.steps(params)
        root = torch._foreach_sqrt(square)
        torch._foreach_div_(root, [(1 - b2**t) ** 0.5 for t in steps])
        torch._foreach_add_(root, group["eps"])
        torch._foreach_addcdiv_(params, mean, root, [-group["lr"] / (1 - b1**t) for t in steps])

    def second_moment(self, square: list[Tensor], grads: Tensors, b2: float) -> None:
        """Moves s, in place, toward the squares of the gradients.

        Args:
            square: s of each parameter.
            grads: Of the same shapes.
            b2: How much of s stays.
        """
        leaky_square(square, grads, b2)


class AdamW(Adam):
    """Adam whose weights decay by themselves: p <- (1 - lr weight_decay) p before the step.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate; also a factor of the decay.
        betas: b1 and b2 of Adam.
        eps: Keeps the quotient finite.
        weight_decay: Fraction of a weight, times lr, that is taken off in a step.
        amsgrad: Divide by the largest s so far.
        maximize: Go uphill.
    """

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize)


class Yogi(Adam):
    """Adam with s <- s + (1 - b2) sign(g^2 - s) g^2.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate.
        betas: b1 and b2.
        eps: Keeps the quotient finite: large, as s may be small.
        weight_decay: Factor of the L2 penalty's gradient.
        maximize: Go uphill.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-3,
        weight_decay: float = 0.0,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, False, maximize)

    def second_moment(self, square: list[Tensor], grads: Tensors, b2: float) -> None:
        squares = torch._foreach_mul(grads, grads)
        signs = torch._foreach_sign(torch._foreach_sub(squares, square))
        torch._foreach_addcmul_(square, signs, squares, value=1 - b2)
