"""Newton's method: the step to the minimum of the second-order expansion.

D2L 12.3.3; Goodfellow 8.6.1. p <- p - lr (H + damping I)^-1 g. Where the Hessian is not positive definite the plain
step goes to saddles and maxima; ``absolute=True`` takes the eigenvalues' absolute values (Dauphin et al. 2014,
saddle-free), ``damping`` adds to them. The Hessian is computed row by row from the graph of the gradient, exactly: n
backward passes and n^2 numbers, so that more than 2,000 parameters are refused.

    dive fit optimization/newton
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from lit_models.optimization.by_hand import Closure, Params, evaluate
from lit_models.optimization.flat import Flat

MOST = 2000


class Newton(Flat):
    """p <- p - lr (H + damping I)^-1 g.

    Args:
        params: Parameters, at most 2,000 numbers.
        lr: 1 is the full step.
        damping: Added to the eigenvalues of the Hessian.
        absolute: Use their absolute values.

    Raises:
        UserError: There are more than 2,000 parameters.
    """

    needs_graph = True  #: the backward pass must leave a graph of the gradient: ``backward(create_graph=True)``

    def __init__(self, params: Params, lr: float = 1.0, damping: float = 0.0, absolute: bool = False) -> None:
        super().__init__(params, lr=lr, damping=damping, absolute=absolute)
        n = sum(p.numel() for p in self.vector)
        if n > MOST:
            raise UserError(
                f"Newton: {n:,} parameters have a Hessian of {n * n:,} numbers: at most {MOST:,} parameters, use LBFGS"
            )

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> Any:  # type: ignore[override]
        loss = evaluate(closure) if closure is not None else None
        used = [p for p in self.vector if p.grad is not None]
        if not used:
            return loss
        if all(p.grad.grad_fn is None for p in used if p.grad is not None):
            raise UserError("Newton needs the graph of the gradient: loss.backward(create_graph=True), one process")
        hessian = self.hessian(used)
        gradient = torch.cat([p.grad.detach().flatten() for p in used if p.grad is not None])
        damping, eye = self.group["damping"], torch.eye(len(gradient), dtype=gradient.dtype, device=gradient.device)
        if self.group["absolute"]:
            values, vectors = torch.linalg.eigh(hessian)
            direction = vectors @ ((vectors.T @ gradient) / (values.abs() + damping))
        else:
            direction, info = torch.linalg.solve_ex(hessian + damping * eye, gradient)
            if int(info):
                raise UserError("Newton: the Hessian is singular: give a damping above 0, such as 1e-3")
        parts = direction.split([p.numel() for p in used])
        for p, part in zip(used, parts, strict=True):
            p.sub_(part.view_as(p), alpha=self.group["lr"])
            p.grad = p.grad.detach() if p.grad is not None else None  # the graph holds the parameter: a cycle
        return loss

    @staticmethod
    @torch.enable_grad()
    def hessian(params: list[Tensor]) -> Tensor:
        """The second derivatives (n, n) from the graph of the parameters' gradients."""
        flat = torch.cat([p.grad.flatten() for p in params if p.grad is not None])
        rows = []
        for component in flat:  # one that does not depend on the parameters, in a linear function, has zeros
            if component.grad_fn is None or not component.requires_grad:
                rows.append(torch.zeros(len(flat), dtype=flat.dtype, device=flat.device))
                continue
            row = torch.autograd.grad(component, params, retain_graph=True, allow_unused=True, materialize_grads=True)
            rows.append(torch.cat([part.flatten() for part in row]))
        return torch.stack(rows).detach()
