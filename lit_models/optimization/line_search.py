"""How far to go along a direction: steps that fulfill the strong Wolfe conditions.

Nocedal and Wright 2006, algorithms 3.5 (bracketing) and 3.6 (zoom), with the cubic interpolation of equation 3.59. The
loss must fall enough (Armijo, c1) and its slope along the direction must flatten (curvature, c2): the second keeps
quasi-Newton updates positive definite and the directions of conjugate gradients downhill.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Objective = Callable[[Tensor], tuple[float, Tensor]]


@dataclass
class Step:
    """A point on the line.

    Args:
        t: Distance, in lengths of the direction.
        loss: The value there.
        gradient: The gradient there (n,).
        slope: Its product with the direction.
    """

    t: float
    loss: float
    gradient: Tensor
    slope: float


def strong_wolfe(
    objective: Objective,
    x: Tensor,
    direction: Tensor,
    start: Step,
    first: float = 1.0,
    c1: float = 1e-4,
    c2: float = 0.9,
    most: int = 25,
) -> Step:
    """A step with loss(t) <= loss(0) + c1 t slope(0) and |slope(t)| <= c2 |slope(0)|, or the best that was found.

    Args:
        objective: Loss and gradient at a point (n,).
        x: Where the line begins (n,).
        direction: Of descent (n,).
        start: The values at t = 0.
        first: The distance to try first.
        c1: Of the sufficient decrease.
        c2: Of the curvature: 0.9 for quasi-Newton, 0.1 for conjugate gradients, whose directions need exact steps.
        most: Evaluations.
    """

    def look(t: float) -> Step:
        loss, gradient = objective(x + t * direction)
        return Step(t, loss if math.isfinite(loss) else math.inf, gradient, float(gradient @ direction))

    def falls(step: Step) -> bool:
        return step.loss <= start.loss + c1 * step.t * start.slope

    def flat(step: Step) -> bool:
        return abs(step.slope) <= -c2 * start.slope

    low, t, left = start, first, most
    while left > 0:  # bracket: go farther until the interval (low, high) must hold such a step
        here, left = look(t), left - 1
        if not falls(here) or (low is not start and here.loss >= low.loss):
            high = here
            break
        if flat(here):
            return here
        if here.slope >= 0:
            low, high = here, low
            break
        low, t = here, 2 * t
    else:
        return low
    while left > 0 and abs(high.t - low.t) > 1e-12 * max(1.0, abs(low.t)):  # zoom: low is the best that falls enough
        here, left = look(interpolate(low, high)), left - 1
        if not falls(here) or here.loss >= low.loss:
            high = here
            continue
        if flat(here):
            return here
        if here.slope * (high.t - low.t) >= 0:
            high = low
        low = here
    return low


def interpolate(a: Step, b: Step) -> float:
    """Where the cubic through two steps is lowest, at least a tenth inside of them; else the middle."""
    middle = (a.t + b.t) / 2
    if not math.isfinite(b.loss):
        return middle
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return middle
    d2 = math.copysign(math.sqrt(square), b.t - a.t)
    below = b.slope - a.slope + 2 * d2
    if below == 0:
        return middle
    t = b.t - (b.t - a.t) * (b.slope + d2 - d1) / below
    edge = 0.1 * abs(b.t - a.t)
    return min(max(t, min(a.t, b.t) + edge), max(a.t, b.t) - edge)


def exact(hessian_vector: Callable[[Tensor], Tensor], gradient: Tensor, direction: Tensor) -> float:
    """The lowest point on the line where the function is quadratic: -g d / (d H d)."""
    return float(-(gradient @ direction) / torch.dot(direction, hessian_vector(direction)))
