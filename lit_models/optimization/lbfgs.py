"""L-BFGS: the inverse Hessian from the last steps, without ever writing it down.

Liu and Nocedal 1989; Nocedal and Wright 2006, algorithm 7.4 (two loops); Goodfellow 8.6.4. Pairs s = x_new - x and y
= g_new - g of the last ``history`` steps; the first guess is y s / (y y) times the identity. Pairs with y s near zero
are left out, so that the matrix stays positive definite.

    dive fit optimization/lbfgs
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.optimization.by_hand import Closure, Params
from lit_models.optimization.closures import SameBatch
from lit_models.optimization.flat import Flat
from lit_models.optimization.line_search import Step, strong_wolfe


class LBFGS(Flat):
    """One quasi-Newton direction in each step; for all rows in one batch.

    Args:
        params: Parameters, or one group of them.
        lr: Length of the step, or of the line search's first try; the first step has lr min(1, 1 / ||g||_1).
        history: Pairs that are kept.
        line_search: Find a step that fulfills the strong Wolfe conditions; False takes ``lr``.

    Raises:
        UserError: ``history`` is less than 1.
    """

    def __init__(self, params: Params, lr: float = 1.0, history: int = 10, line_search: bool = True) -> None:
        if history < 1:
            raise UserError(f"LBFGS: history is {history}: give at least 1")
        super().__init__(params, lr=lr, history=history, line_search=line_search)

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:  # type: ignore[override]
        again = SameBatch(closure, "LBFGS")
        loss = again()
        x, g, own = self.position(), self.gradient(), self.own
        if float(g.abs().max()) == 0:
            return loss
        if "gradient" in own:
            s, y = own["moved"], g - own["gradient"]
            if float(y @ s) > 1e-10:
                own["steps"] = [*own["steps"], s][-self.group["history"] :]
                own["changes"] = [*own["changes"], y][-self.group["history"] :]
        else:
            own.update(steps=[], changes=[])
        direction = two_loops(g, own["steps"], own["changes"])
        t = self.group["lr"] if "gradient" in own else min(1.0, 1 / float(g.abs().sum())) * self.group["lr"]
        if self.group["line_search"]:
            slope = float(g @ direction)
            t = strong_wolfe(lambda p: self.at(p, again), x, direction, Step(0.0, float(loss), g, slope), t).t
        own.update(gradient=g, moved=t * direction)  # torch never moves a state named step to a GPU
        self.move_to(x + own["moved"])
        return loss


def two_loops(gradient: Tensor, steps: list[Tensor], changes: list[Tensor]) -> Tensor:
    """-H g (n,), with H the inverse Hessian that the pairs define, the newest last."""
    q, alphas = -gradient, []
    for s, y in zip(reversed(steps), reversed(changes), strict=True):
        alpha = (s @ q) / (y @ s)
        alphas.append(alpha)
        q = q - alpha * y
    if steps:
        q = q * ((changes[-1] @ steps[-1]) / (changes[-1] @ changes[-1]))
    for s, y, alpha in zip(steps, changes, reversed(alphas), strict=True):
        q = q + s * (alpha - (y @ q) / (y @ s))
    return q
