"""The line search: both Wolfe conditions hold at what it returns, on functions with several valleys too."""

import math

import pytest
import torch
from torch import Tensor

from lit_models.optimization.line_search import Step, exact, interpolate, strong_wolfe

FUNCTIONS = {
    "bowl": lambda x: (x - 3).square().sum(),
    "waves": lambda x: (x - 3).square().sum() / 10 + torch.sin(3 * x).sum(),
    "wall": lambda x: x.exp().sum() - 5 * x.sum(),
    "log": lambda x: (x - torch.log(2 - x)).square().sum(),  # nan beyond 2
}


@pytest.mark.parametrize("first", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("c2", [0.1, 0.9])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_step_fulfills_the_strong_wolfe_conditions(name: str, c2: float, first: float) -> None:
    def objective(p: Tensor) -> tuple[float, Tensor]:
        p = p.detach().requires_grad_()
        value = FUNCTIONS[name](p)
        return float(value.detach()), torch.autograd.grad(value, p)[0]

    x = torch.tensor([-1.0], dtype=torch.float64)
    loss, gradient = objective(x)
    start = Step(0.0, loss, gradient, -float(gradient @ gradient))
    found = strong_wolfe(objective, x, -gradient, start, first, c2=c2)
    assert found.loss <= loss + 1e-4 * found.t * start.slope
    assert abs(found.slope) <= -c2 * start.slope


def test_the_cubic_has_its_minimum_where_it_is() -> None:
    a, b = (Step(t, t**3 - 3 * t, torch.empty(0), 3 * t**2 - 3) for t in (0.5, 1.8))  # lowest at 1
    assert interpolate(a, b) == pytest.approx(1.0) == pytest.approx(interpolate(b, a))
    assert interpolate(Step(0.0, 0.0, torch.empty(0), -1.0), Step(2.0, math.inf, torch.empty(0), 1.0)) == 1.0


def test_the_exact_step_ends_where_the_slope_is_zero() -> None:
    matrix = torch.tensor([[3.0, 1.0], [1.0, 2.0]])
    x, direction = torch.tensor([1.0, -2.0]), torch.tensor([-1.0, 0.5])
    t = exact(lambda v: matrix @ v, matrix @ x, direction)
    assert abs(float((matrix @ (x + t * direction)) @ direction)) < 1e-6
