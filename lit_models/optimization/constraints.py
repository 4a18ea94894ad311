"""Minimization under constraints: projections, the augmented Lagrangian, the conditions of Karush, Kuhn and Tucker.

D2L 12.2.3; Goodfellow et al. 4.4; Boyd and Vandenberghe 2004, 5.5; Bertsekas 1982 (the method of multipliers);
Duchi et al. 2008 (the simplex). Problems have the form: minimize f(x) where g(x) <= 0 and h(x) = 0, each a vector.
Departs from the book: it names Lagrangian, penalty and projection without running one; here each solves small problems,
and the answer is judged by how far it is from fulfilling the conditions of a minimum.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from common.messages import UserError

Function = Callable[[Tensor], Tensor]


def none(x: Tensor) -> Tensor:
    """No constraints: (0,)."""
    return x.new_zeros(0)


# -- projections ----------------------------------------------------------------------------------------------------


def onto_box(x: Tensor, low: float, high: float) -> Tensor:
    """The nearest point with all entries between two numbers."""
    return x.clamp(low, high)


def onto_ball(x: Tensor, radius: float = 1.0) -> Tensor:
    """The nearest point (..., n) of at most this Euclidean norm: what clipping a gradient by its norm does."""
    return x * (radius / x.norm(dim=-1, keepdim=True).clamp(min=radius))


def onto_simplex(x: Tensor) -> Tensor:
    """The nearest distribution (..., n): entries at least 0 with sum 1 (Duchi et al., figure 1).

    All entries are lowered by the same number and cut at 0; which number follows from how many stay above 0.
    """
    ordered = x.sort(-1, descending=True).values
    counts = torch.arange(1, x.shape[-1] + 1, device=x.device)
    lowered = (ordered.cumsum(-1) - 1) / counts
    kept = (ordered > lowered).sum(-1, keepdim=True)
    return (x - lowered.gather(-1, kept - 1)).clamp(min=0)


def projected_gradient(
    function: Function, start: Tensor, project: Function, rate: float = 0.1, steps: int = 1000
) -> Tensor:
    """Gradient descent that returns to the feasible set after each step (n,)."""
    x = project(start.detach())
    for _ in range(steps):
        x.requires_grad_()
        (gradient,) = torch.autograd.grad(function(x), x)
        x = project(x.detach() - rate * gradient)
    return x


# -- Lagrangian -----------------------------------------------------------------------------------------------------


@dataclass
class Solution:
    """A point with its multipliers.

    Args:
        x: The point (n,).
        inequality: A multiplier for each entry of g, at least 0: how fast f falls as the constraint is relaxed.
        equality: A multiplier for each entry of h.
    """

    x: Tensor
    inequality: Tensor
    equality: Tensor


def augmented_lagrangian(
    function: Function,
    start: Tensor,
    inequality: Function = none,
    equality: Function = none,
    penalty: float = 10.0,
    rounds: int = 50,
) -> Solution:
    """Minimizes f where g <= 0 and h = 0, by unconstrained minima of a Lagrangian with a quadratic penalty.

    With a penalty only, constraints hold in the limit of an infinite one, which makes the problem ill-conditioned. The
    multipliers, updated after each round, replace it, so that the penalty may stay finite.

    Args:
        function: f, (n,) -> ().
        start: Where to begin (n,).
        inequality: g, (n,) -> (k,).
        equality: h, (n,) -> (m,).
        penalty: Weight of the squares, above 0.
        rounds: Unconstrained minimizations by L-BFGS.

    Raises:
        UserError: The penalty is not above 0.
    """
    if not penalty > 0:
        raise UserError(f"the penalty is {penalty}: it must be above 0")
    x = start.detach().clone().requires_grad_()
    bound, exact = torch.zeros_like(inequality(start)), torch.zeros_like(equality(start))
    for _ in range(rounds):
        optimizer = torch.optim.LBFGS(
            [x], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
        )

        def closure(
            optimizer: torch.optim.Optimizer = optimizer, bound: Tensor = bound, exact: Tensor = exact
        ) -> Tensor:
            optimizer.zero_grad()
            value = function(x)
            value = value + (bound + penalty * inequality(x)).clamp(min=0).square().sum() / (2 * penalty)
            value = value + exact @ equality(x) + penalty / 2 * equality(x).square().sum()
            value.backward()
            return value

        optimizer.step(closure)
        with torch.no_grad():
            bound = (bound + penalty * inequality(x)).clamp(min=0)
            exact = exact + penalty * equality(x)
    return Solution(x.detach(), bound, exact)


def kkt_residuals(
    function: Function, solution: Solution, inequality: Function = none, equality: Function = none
) -> dict[str, float]:
    """How far a point is from the conditions of a minimum; all are 0 at one whose active constraints have independent
    gradients, and for a convex problem only at a minimum.

    ``stationarity``: the gradient of the Lagrangian. ``feasibility``: the largest violation of a constraint.
    ``multipliers``: the most negative multiplier of an inequality. ``slackness``: multiplier times constraint: 0, as a
    constraint that is not active has the multiplier 0.
    """
    x = solution.x.detach().clone().requires_grad_()
    g, h = inequality(x), equality(x)
    lagrangian = function(x) + solution.inequality @ g + solution.equality @ h
    (gradient,) = torch.autograd.grad(lagrangian, x)

    def largest(values: Tensor) -> float:
        return float(values.detach().max().clamp(min=0)) if len(values) else 0.0

    return {
        "stationarity": float(gradient.abs().max()),
        "feasibility": max(largest(g), largest(h.abs())),
        "multipliers": largest(-solution.inequality),
        "slackness": largest((solution.inequality * g).abs()),
    }


# -- convexity ------------------------------------------------------------------------------------------------------


def convexity_violation(function: Function, points: Tensor, seed: int = 0) -> float:
    """The largest height of f between two points above the line between their values, over random pairs (D2L 12.2.1.2).

    0 is no proof of convexity; a number above 0 proves that f is not convex.

    Args:
        function: (N, n) -> (N,).
        points: Where to look (N, n).
        seed: Of the pairs and of the places between them.
    """
    generator = torch.Generator().manual_seed(seed)
    other = points[torch.randperm(len(points), generator=generator)]
    share = torch.rand(len(points), 1, generator=generator, dtype=points.dtype)
    between = function(share * points + (1 - share) * other)
    line = share[:, 0] * function(points) + (1 - share[:, 0]) * function(other)
    return float((between - line).max().clamp(min=0))
