"""Eigenvectors, components, roots and integrals: known results and their rates."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.probability.numerics import (
    eigenvectors,
    monte_carlo_integral,
    newton_root,
    power_iteration,
    principal_components,
)


def matrix(*values: float) -> Tensor:
    """Symmetric, with these eigenvalues."""
    q, _ = torch.linalg.qr(torch.randn(len(values), len(values), dtype=torch.float64))
    return q @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ q.T


def test_power_iteration_finds_the_eigenvalue_of_largest_absolute_value() -> None:
    value, vector, _ = power_iteration(m := matrix(-4.0, 3.0, 1.0))
    assert float(value) == pytest.approx(-4, abs=1e-12)
    torch.testing.assert_close(m @ vector, value * vector)


def test_power_iteration_gains_the_ratio_of_the_two_largest_eigenvalues_per_step() -> None:
    steps = {ratio: power_iteration(matrix(1.0, ratio, 0.1))[2] for ratio in (0.5, 0.9)}
    assert steps[0.9] / steps[0.5] == pytest.approx(math.log(0.5) / math.log(0.9), rel=0.2)


def test_taking_the_found_part_off_gives_all_eigenvectors() -> None:
    values, vectors = eigenvectors(m := matrix(5.0, -3.0, 2.0, 1.0), 4)
    torch.testing.assert_close(values, torch.tensor([5.0, -3.0, 2.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(vectors @ torch.diag(values) @ vectors.T, m)


def test_singular_values_keep_the_digits_that_the_covariance_loses() -> None:
    """Two columns that differ by 1e-8: the small variance is 1e-16 of the large one."""
    first = torch.randn(200, dtype=torch.float64)
    second = torch.randn(200, dtype=torch.float64)
    x = torch.stack([first, first + 1e-8 * second], 1)
    exact = torch.stack(
        [first + second * 0.5e-8, second * 0.5e-8], 1
    )  # the same rows, turned by 45 degrees, over sqrt 2
    expected = float(2 * torch.linalg.det(torch.cov(exact.T)) / exact[:, 0].var())
    from_values = float(principal_components(x, 2)[0][1])
    from_covariance = float(torch.linalg.eigvalsh(torch.cov(x.T))[0])
    assert from_values == pytest.approx(expected, rel=1e-4)
    assert abs(from_covariance / expected - 1) > 0.1


def test_newtons_method_doubles_the_correct_digits() -> None:
    root, way = newton_root(lambda x: x**2 - 2, 1.0)
    assert root == pytest.approx(math.sqrt(2), abs=1e-15)
    errors = [e for e in way if 1e-7 < e < 0.3]
    assert len(errors) >= 2
    assert all(after < before**2 for before, after in itertools.pairwise(errors))


def test_the_error_of_monte_carlo_falls_with_the_root_of_the_samples_in_any_dimension() -> None:
    """The integral of prod 2 x_d over the unit cube is 1."""
    for dimensions in (1, 6):
        low, high = torch.zeros(dimensions, dtype=torch.float64), torch.ones(dimensions, dtype=torch.float64)
        few, many = (monte_carlo_integral(lambda x: (2 * x).prod(1), low, high, n) for n in (1_000, 100_000))
        assert abs(many[0] - 1) < 4 * many[1]
        assert few[1] / many[1] == pytest.approx(10, rel=0.3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: power_iteration(torch.ones(2, 3)), "of shape \\(2, 3\\) is not symmetric"),
        (lambda: power_iteration(torch.diag(torch.tensor([1.0, -1.0])), steps=200), "the same absolute value"),
        (lambda: principal_components(torch.randn(3, 5), 3), "3 components of 3 rows with 5 columns: at most 2"),
        (lambda: newton_root(lambda x: x**2 + 1, 0.0), "the derivative at 0 is 0"),
        (lambda: newton_root(lambda x: x**2 + 1, 0.7), "no root after 50 steps"),
        (lambda: monte_carlo_integral(lambda x: x[:, 0], torch.ones(1), torch.zeros(1)), "give high > low"),
    ],
)
def test_what_has_no_solution_is_one_line(call, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=words):
        call()
