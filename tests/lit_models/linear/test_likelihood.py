"""Likelihood and vectors: the densities are torch's, the optimum is least squares', the loop is slow."""

import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from lit_models.linear.likelihood import add_by_loop, negative_log_likelihood, normal_density
from lit_models.linear.linear_regression import closed_form
from lit_models.tasks.regressor import Regressor


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.0, 2.0), (3.0, 1.0)])  # the book's three curves
def test_the_density_is_torchs_and_its_integral_is_one(mean: float, std: float) -> None:
    x = torch.linspace(mean - 8 * std, mean + 8 * std, 2001, dtype=torch.float64)
    density = normal_density(x, mean, std)
    torch.testing.assert_close(density, Normal(mean, std).log_prob(x).exp())
    assert float(torch.trapezoid(density, x)) == pytest.approx(1)


def test_the_surprise_is_torchs() -> None:
    prediction, y = torch.randn(2, 50, dtype=torch.float64)
    torch.testing.assert_close(negative_log_likelihood(prediction, y, 0.7), -Normal(prediction, 0.7).log_prob(y).mean())


@pytest.mark.parametrize("std", [0.1, 1.0, 5.0])
def test_its_gradient_is_that_of_half_the_squared_error_but_for_a_factor(std: float) -> None:
    prediction, y = torch.randn(50, requires_grad=True), torch.randn(50)
    (surprise,) = torch.autograd.grad(negative_log_likelihood(prediction, y, std), prediction)
    (error,) = torch.autograd.grad(Regressor.loss(prediction, y), prediction)
    torch.testing.assert_close(surprise * std**2, error)


def test_least_squares_are_most_likely_for_any_noise() -> None:
    x = torch.randn(40, 3, dtype=torch.float64)
    y = x.sum(1) + torch.randn(40, dtype=torch.float64)
    weights, bias = closed_form(x, y)
    best = negative_log_likelihood(x @ weights + bias, y, 0.3)
    for _ in range(20):
        other = x @ (weights + 0.1 * torch.randn(3, dtype=torch.float64)) + bias
        assert negative_log_likelihood(other, y, 0.3) > best


def seconds(add: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> float:
    """Of this process's own time, whatever else runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        add(a, b)
        times.append(time.process_time() - start)
    return min(times)


def test_a_vector_is_many_times_faster_than_a_loop_and_the_same() -> None:
    a, b = torch.ones(10_000), torch.full((10_000,), 2.0)  # the book's length; it measured a factor of 500
    assert torch.equal(add_by_loop(a, b), a + b)
    assert seconds(add_by_loop, a, b) > 20 * seconds(torch.add, a, b)
