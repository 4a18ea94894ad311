"""A density that integrates to one, the width that held-out rows ask for, and samples without a density."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.probability.kernel_density import best_factor, left_out_likelihood, log_density, scott, silverman


def two_modes(number: int = 300) -> Tensor:
    """A third around -3, the others around 3, deviation 1/2."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.where(torch.rand(number, generator=generator) < 1 / 3, -3.0, 3.0)
    return (centers + 0.5 * torch.randn(number, generator=generator)).double()


def test_the_density_integrates_to_one() -> None:
    grid = torch.linspace(-25, 25, 8001, dtype=torch.float64)
    for factor in (0.05, silverman(two_modes()), 1.0):
        assert float(torch.trapezoid(log_density(two_modes(), grid, factor).exp(), grid)) == pytest.approx(1, abs=1e-6)


def test_the_rule_for_one_gaussian_is_too_wide_for_two_modes() -> None:
    """Its likelihood of points left out is below that of the width chosen by it, which is narrower."""
    best = best_factor(two_modes())
    assert best < silverman(two_modes()) / 2
    assert left_out_likelihood(two_modes(), best) > left_out_likelihood(two_modes(), silverman(two_modes())) + 0.1


def test_a_point_that_judges_itself_would_choose_the_narrowest_width() -> None:
    points = two_modes()
    own = [float(log_density(points, points, f).mean()) for f in (0.001, 0.05, 0.5)]
    assert own == sorted(own, reverse=True)
    assert left_out_likelihood(points, 0.001) < left_out_likelihood(points, 0.05)


def test_a_point_left_out_is_judged_by_the_mean_of_all_other_kernels() -> None:
    points = torch.tensor([0.0, 1.0, 3.0, 7.0], dtype=torch.float64)
    kernel = torch.distributions.Normal(points, 0.5 * points.std())
    each = [kernel.log_prob(x).exp()[points != x].mean().log() for x in points]
    assert left_out_likelihood(points, 0.5) == pytest.approx(float(torch.stack(each).mean()))


def test_the_rules_of_thumb_shrink_with_the_number_of_points() -> None:
    assert scott(torch.randn(32, 1)) == pytest.approx(32**-0.2)
    assert silverman(torch.randn(32, 1)) == pytest.approx((32 * 3 / 4) ** -0.2)
    assert scott(torch.randn(64, 2)) == pytest.approx(64 ** (-1 / 6))


@pytest.mark.parametrize(
    ("points", "factor", "words"),
    [
        (torch.zeros(1, 2), 1.0, "1 points: a density needs at least two"),
        (torch.tensor([[0.0, 1.0], [1.0, 1.0]]), 1.0, "column 1 has one value only"),
        (torch.tensor([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]]), 1.0, "singular: column 1 is a combination"),
        (torch.randn(5, 2), 0.0, "the factor is 0.0: a width is above 0"),
    ],
)
def test_samples_without_a_density_are_named(points: Tensor, factor: float, words: str) -> None:
    with pytest.raises(UserError, match=words):
        log_density(points, points, factor)
