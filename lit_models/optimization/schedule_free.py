"""Schedule-free AdamW: an average of the steps takes the place of a falling rate, so that a run needs no known length.

Defazio et al. 2024, "The Road Less Scheduled", algorithm 1. Three sequences: z takes the steps, x is their weighted
mean, and the gradient is computed at y = (1 - b1) z + b1 x. Training has y in the parameters; evaluation and
checkpoints have x, by the same two methods as Polyak averaging. Whoever evaluates without switching measures y, and
whoever saves y has weights not meant for evaluation: ``Task`` switches and saves x.
Departs from the authors' package: x is kept, not recomputed from y, so that a resumed run equals the other to the
bit.

    dive fit cnn/lenet --model.optimizer ScheduleFreeAdamW --model.optimizer.lr 0.003
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.optimization.by_hand import ByHand, Group, Params, Tensors


class ScheduleFreeAdamW(ByHand):
    """s <- b2 s + (1 - b2) g^2; z <- z - lr (g / (sqrt(s') + eps) + weight_decay y); x <- x + c (z - x).

    c = w_t / sum(w) with w_t = t^r max(lr)^weight_power.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate, constant after the warm-up.
        betas: b1 of the point of the gradient, b2 of the second moment.
        eps: Keeps the quotient finite.
        weight_decay: Of y.
        warmup: Steps in which the rate rises on a line.
        r: Power of the step in its weight.
        weight_power: Power of the rate in a step's weight.

    Raises:
        UserError: ``warmup`` is negative.
    """

    averages = True  #: evaluation and checkpoints have other weights than training: ``evaluated_weights``

    def __init__(
        self,
        params: Params,
        lr: float = 0.0025,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        warmup: int = 0,
        r: float = 0.0,
        weight_power: float = 2.0,
    ) -> None:
        if warmup < 0:
            raise UserError(f"ScheduleFreeAdamW: warmup is {warmup}: give a number of steps, at least 0")
        super().__init__(
            params,
            lr=lr,
            betas=tuple(betas),
            eps=eps,
            weight_decay=weight_decay,
            warmup=warmup,
            r=r,
            weight_power=weight_power,
            taken=0,
            weights=0.0,
            highest=0.0,
        )
        self.training = True

    def update(self, group: Group, params: list[Tensor], grads: Tensors) -> None:
        self.train()
        b2 = group["betas"][1]
        for p in params:
            if "z" not in self.state[p]:
                first = p.detach().clone()
                self.state[p].update(z=first, x=first.clone(), square=torch.zeros_like(p))
        z, x, square = ([self.state[p][name] for p in params] for name in ("z", "x", "square"))

        group["taken"] += 1
        t = group["taken"]
        lr = group["lr"] * min(1.0, t / group["warmup"]) if group["warmup"] else group["lr"]
        group["highest"] = max(lr, group["highest"])
        weight = t ** group["r"] * group["highest"] ** group["weight_power"]
        group["weights"] += weight
        c = weight / group["weights"] if group["weights"] else 0.0

        torch._foreach_mul_(square, b2)
        torch._foreach_addcmul_(square, grads, grads, value=1 - b2)
        root = torch._foreach_sqrt(torch._foreach_div(square, 1 - b2**t))
        torch._foreach_add_(root, group["eps"])
        steps = torch._foreach_div(grads, root)
        if group["weight_decay"]:
            torch._foreach_add_(steps, params, alpha=group["weight_decay"])
        torch._foreach_sub_(z, steps, alpha=lr)
        torch._foreach_lerp_(x, z, c)
        self._place(group, params)

    def _place(self, group: Group, params: list[Tensor]) -> None:
        """Puts y into the parameters: a function of x and z, so that it is the same after a resume."""
        for p in params:
            p.copy_(torch.lerp(self.state[p]["x"], self.state[p]["z"], 1 - group["betas"][0]))

    def _averaged(self, group: Group) -> list[Tensor]:
        return [p for p in group["params"] if "x" in self.state.get(p, {})]

    def evaluated_weights(self, p: Tensor) -> Tensor:
        """x of a parameter, whichever it holds now."""
        return self.state[p].get("x", p.detach()) if p in self.state else p.detach()

    @torch.no_grad()
    def eval(self) -> None:
        """Puts x into the parameters."""
        if self.training:
            self.training = False
            for group in self.param_groups:
                for p in self._averaged(group):
                    p.copy_(self.state[p]["x"])

    @torch.no_grad()
    def train(self) -> None:
        """Puts y into the parameters."""
        if not self.training:
            self.training = True
            for group in self.param_groups:
                self._place(group, self._averaged(group))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues with y; the weights of the checkpoint are x."""
        super().load_state_dict(state_dict)
        self.training = False
        self.train()
