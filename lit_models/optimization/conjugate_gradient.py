"""Nonlinear conjugate gradients: directions that do not undo what earlier ones gained.

Fletcher and Reeves 1964; Polak and Ribiere 1969; Goodfellow 8.6.2. d <- -g + beta d with beta = ||g||^2 / ||g_old||^2
(Fletcher-Reeves) or g (g - g_old) / ||g_old||^2 (Polak-Ribiere), restarted with -g where beta is negative or the
direction would climb. On a quadratic with n parameters n exact steps reach the minimum.

    dive fit optimization/lbfgs --model.optimizer ConjugateGradient
"""

from typing import Any, Literal

import torch

from common.messages import UserError
from lit_models.optimization.by_hand import Closure, Params
from lit_models.optimization.closures import SameBatch
from lit_models.optimization.flat import Flat
from lit_models.optimization.line_search import Step, strong_wolfe


class ConjugateGradient(Flat):
    """One direction and one line search in each step; for all rows in one batch.

    Args:
        params: Parameters, or one group of them.
        lr: Length of the first direction's first try, times 1 / ||g||_1.
        method: The formula of beta.
        restart: Steps after which the direction is -g again; 0 means the number of parameters.
        curvature: c2 of the line search: smaller is more exact.

    Raises:
        UserError: ``method`` is neither of the two.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        method: Literal["polak_ribiere", "fletcher_reeves"] = "polak_ribiere",
        restart: int = 0,
        curvature: float = 0.1,
    ) -> None:
        if method not in ("polak_ribiere", "fletcher_reeves"):
            raise UserError(f"ConjugateGradient: method is {method!r}: give polak_ribiere or fletcher_reeves")
        super().__init__(params, lr=lr, restart=restart, curvature=curvature)
        self.method = method

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:  # type: ignore[override]
        again = SameBatch(closure, "ConjugateGradient")
        loss = again()
        x, g, own = self.position(), self.gradient(), self.own
        direction = -g
        if "direction" in own and own["taken"] % (self.group["restart"] or len(x)):
            old = own["gradient"]
            change = g if self.method == "fletcher_reeves" else g - old
            beta = float(g @ change / (old @ old).clamp(min=1e-300))
            if beta > 0 and float(g @ (candidate := -g + beta * own["direction"])) < 0:
                direction = candidate
        slope = float(g @ direction)
        if slope == 0:
            return loss
        start = Step(0.0, float(loss), g, slope)
        # as far as the last step would have gained as much
        first = own["t"] * own["slope"] / slope if "direction" in own else self.group["lr"] / float(g.abs().sum())
        found = strong_wolfe(lambda p: self.at(p, again), x, direction, start, first, c2=self.group["curvature"])
        self.move_to(x + found.t * direction)
        own.update(direction=direction, gradient=g, t=found.t or first, slope=slope, taken=own.get("taken", 0) + 1)
        return loss
