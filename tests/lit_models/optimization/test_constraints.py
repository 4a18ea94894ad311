"""Projections are the nearest points; minima under constraints fulfill the conditions of Karush, Kuhn and Tucker."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.optimization.constraints import (
    Solution,
    augmented_lagrangian,
    convexity_violation,
    kkt_residuals,
    onto_ball,
    onto_box,
    onto_simplex,
    projected_gradient,
)

CENTER = torch.tensor([2.0, 1.0], dtype=torch.float64)


def distance(x: Tensor) -> Tensor:
    return (x - CENTER).square().sum()


def disc(x: Tensor) -> Tensor:
    """Inside of the unit circle, and left of 5, which holds nothing."""
    return torch.stack([x.square().sum() - 1, x[0] - 5])


@pytest.mark.parametrize("project", [lambda x: onto_box(x, -0.5, 0.5), onto_ball, onto_simplex])
def test_a_projection_stays_where_it_is_and_no_feasible_point_is_nearer(project) -> None:  # type: ignore[no-untyped-def]
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.randn(5, generator=generator, dtype=torch.float64)
    nearest = project(x)
    torch.testing.assert_close(project(nearest), nearest)
    others = project(torch.randn(500, 5, generator=generator, dtype=torch.float64))
    assert bool(((others - x).norm(dim=1) >= (nearest - x).norm() - 1e-12).all())


def test_the_projection_onto_the_simplex_is_a_distribution() -> None:
    found = onto_simplex(3 * torch.randn(20, 7, dtype=torch.float64))
    torch.testing.assert_close(found.sum(1), torch.ones(20, dtype=torch.float64))
    assert bool((found >= 0).all()) and bool((found == 0).any())


def test_both_methods_find_the_nearest_point_of_the_disc() -> None:
    expected = CENTER / CENTER.norm()
    start = torch.zeros(2, dtype=torch.float64)
    torch.testing.assert_close(projected_gradient(distance, start, onto_ball), expected)
    torch.testing.assert_close(augmented_lagrangian(distance, start, disc).x, expected, atol=1e-7, rtol=0)


def test_a_multiplier_says_how_fast_the_minimum_falls_as_the_constraint_is_relaxed() -> None:
    start = torch.zeros(2, dtype=torch.float64)
    found = augmented_lagrangian(distance, start, disc)
    relaxed = augmented_lagrangian(distance, start, lambda x: disc(x) - 1e-4)
    fall = (distance(found.x) - distance(relaxed.x)) / 1e-4
    assert float(found.inequality[0]) == pytest.approx(float(fall), rel=1e-3)
    assert float(found.inequality[1]) == 0


def test_the_conditions_hold_at_the_minimum_and_each_fails_where_it_should() -> None:
    found = augmented_lagrangian(distance, torch.zeros(2, dtype=torch.float64), disc)
    assert all(value < 1e-6 for value in kkt_residuals(distance, found, disc).values())
    moved = Solution(found.x * 0.9, found.inequality, found.equality)
    assert kkt_residuals(distance, moved, disc)["stationarity"] > 0.1
    outside = Solution(found.x * 1.1, found.inequality, found.equality)
    assert kkt_residuals(distance, outside, disc)["feasibility"] > 0.1
    pulled = Solution(found.x, -found.inequality, found.equality)
    assert kkt_residuals(distance, pulled, disc)["multipliers"] > 0.1
    idle = Solution(found.x, found.inequality + torch.tensor([0.0, 1.0]), found.equality)
    assert kkt_residuals(distance, idle, disc)["slackness"] > 1


def test_convex_functions_have_no_violation_and_a_wave_has() -> None:
    points = torch.linspace(-3, 3, 400, dtype=torch.float64)[:, None]
    assert convexity_violation(lambda x: x.square().sum(1), points) < 1e-12
    assert convexity_violation(lambda x: x.cos().sum(1), points) > 0.1


def test_a_penalty_of_zero_is_refused() -> None:
    with pytest.raises(UserError, match="the penalty is 0"):
        augmented_lagrangian(distance, torch.zeros(2), disc, penalty=0)
