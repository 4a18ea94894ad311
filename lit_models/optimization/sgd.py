"""Gradient descent, with momentum, Nesterov's look ahead and weight decay.

Robbins and Monro 1951; Polyak 1964 (momentum); Nesterov 1983, in the form of Sutskever et al. 2013. D2L 12.3 to 12.6;
Goodfellow 8.3. On all rows at once it is gradient descent, on minibatches stochastic gradient descent. The velocity is
v <- momentum v + g and the step is lr v, as in D2L and torch: with momentum 0.9 a constant gradient moves ten times as
far as without. Goodfellow's v has the rate inside, which differs when a schedule changes it.

    dive fit optimization/momentum
"""

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.optimization.by_hand import ByHand, Group, Params, Tensors, decayed


class SGD(ByHand):
    """p <- p - lr v, with v <- momentum v + (1 - dampening) (g + weight_decay p).

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate.
        momentum: How much of the velocity stays; 0 is plain gradient descent.
        dampening: What is taken off the new gradient; the first velocity is the gradient itself.
        weight_decay: Factor of the L2 penalty's gradient.
        nesterov: Take the gradient where the velocity leads: g + momentum v in place of v.
        maximize: Go uphill.

    Raises:
        UserError: Nesterov without momentum, or with dampening.
    """

    sparse = True

    def __init__(
        self,
        params: Params,
        lr: float = 0.01,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        if nesterov and (momentum <= 0 or dampening != 0):
            raise UserError("SGD: nesterov needs a momentum above 0 and no dampening")
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
        )

    def update(self, group: Group, params: list[Tensor], grads: Tensors) -> None:
        momentum = group["momentum"]
        if any(g.is_sparse for g in grads):
            if momentum or group["weight_decay"]:
                raise UserError("SGD takes sparse gradients without momentum and weight_decay only: use AdaGrad")
            for p, g in zip(params, grads, strict=True):
                p.add_(g, alpha=-group["lr"])
            return
        grads = decayed(grads, params, group["weight_decay"])
        if momentum:
            velocity = self._velocity(group, params, grads)
            grads = torch._foreach_add(grads, velocity, alpha=momentum) if group["nesterov"] else velocity
        torch._foreach_add_(params, grads, alpha=-group["lr"])

    def _velocity(self, group: Group, params: list[Tensor], grads: Tensors) -> list[Tensor]:
        """The new velocities, kept in the state; a first one is the gradient itself."""
        first = {i for i, p in enumerate(params) if "velocity" not in self.state[p]}
        for i in first:
            self.state[params[i]]["velocity"] = grads[i].clone()
        velocity = [self.state[p]["velocity"] for p in params]
        if len(first) < len(params):
            moving = [v for i, v in enumerate(velocity) if i not in first]
            torch._foreach_mul_(moving, group["momentum"])
            new = [g for i, g in enumerate(grads) if i not in first]
            torch._foreach_add_(moving, new, alpha=1 - group["dampening"])
        return velocity
