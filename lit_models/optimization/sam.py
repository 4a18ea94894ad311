"""Sharpness-aware minimization: the gradient from the worst point nearby.

Foret et al. 2021, algorithm 1. Each step first climbs by ``radius`` along the gradient, computes the gradient there,
and takes it at the first point. Minima whose surroundings are high are avoided; a step costs two passes.

    dive fit cnn/lenet --model.optimizer SAM --model.optimizer.base Adam --model.optimizer.base.lr 0.001
"""

from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable

from lit_models.optimization.by_hand import Closure, Params
from lit_models.optimization.closures import SameBatch, refuse_accumulation
from lit_models.optimization.wrapper import SGD_BASE, Wrapper


class SAM(Wrapper):
    """The step of the inner optimizer with the gradient at p + radius g / ||g||, the norm over all parameters.

    Args:
        params: Parameters, or groups of them.
        base: Makes the inner optimizer from the parameters.
        radius: Length of the climb (rho in the paper).
    """

    def __init__(self, params: Params, base: OptimizerCallable = SGD_BASE, radius: float = 0.05) -> None:
        super().__init__(params, base, radius=radius)

    def check_run(self, trainer: Any) -> None:
        """Refuses a run in which a step has several batches (``UserError``)."""
        refuse_accumulation("SAM", trainer)

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:  # type: ignore[override]
        again = SameBatch(closure, "SAM")
        loss = again()
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        radii = [g["radius"] for g in self.param_groups for p in g["params"] if p.grad is not None]
        if params:
            before = [p.detach().clone() for p in params]
            grads = [p.grad for p in params]
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads))).clamp(min=1e-12)
            torch._foreach_addcdiv_(params, grads, [norm.to(g) for g in grads], radii)  # type: ignore[arg-type]
            again()
            torch._foreach_copy_(params, before)
            self.inner.step()
        return loss
