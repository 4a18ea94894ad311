"""Formulas against simulations: bias, variance, bounds, coverage, power."""

import math

import pytest
import torch
from scipy import stats
from torch.distributions import Bernoulli

from common.messages import UserError
from lit_models.probability.estimators import (
    benjamini_hochberg,
    bootstrap_interval,
    coverage,
    cramer_rao,
    decompose,
    fisher_information,
    holm,
    normal_variance_decomposition,
    power,
    t_interval,
    variance_estimate,
    z_test,
)

REPEATS = 20_000


def normal(n: int, repeats: int = REPEATS, std: float = 2.0) -> torch.Tensor:
    return std * torch.randn(repeats, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("divisor", [0, 1, -1])
def test_bias_and_variance_of_the_variance_are_the_formulas(divisor: int) -> None:
    found = decompose(variance_estimate(divisor)(normal(10)), 4.0)
    expected = normal_variance_decomposition(10, 4.0, divisor)
    assert abs(found.bias - expected.bias) < 3 * found.standard_error
    assert abs(found.variance / expected.variance - 1) < 0.05
    assert math.isclose(found.mse, found.bias**2 + found.variance, rel_tol=1e-9)


def test_bessels_divisor_has_no_bias_and_n_plus_one_the_least_error() -> None:
    errors = {d: normal_variance_decomposition(10, 4.0, d) for d in (-2, -1, 0, 1)}
    assert errors[1].bias == 0 and errors[0].bias == pytest.approx(-0.4)
    assert min(errors, key=lambda d: errors[d].mse) == -1


def test_an_estimator_is_consistent_where_its_error_shrinks_with_samples() -> None:
    mean_errors = [decompose(normal(n, 2000).mean(1), 0.0).mse for n in (10, 100)]
    first_errors = [decompose(normal(n, 2000)[:, 0], 0.0).mse for n in (10, 100)]
    assert mean_errors[1] < 0.15 * mean_errors[0]
    assert first_errors[1] > 0.8 * first_errors[0]  # the first value alone has no bias and is not consistent


def test_the_mean_of_a_coin_reaches_cramer_and_raos_bound_and_the_median_of_a_normal_does_not() -> None:
    p, n = 0.3, 25
    draws = torch.bernoulli(torch.full((REPEATS, n), p), generator=torch.Generator().manual_seed(1)).double()
    information = fisher_information(lambda x, t: Bernoulli(probs=t).log_prob(x), p, draws.flatten())
    assert abs(information * p * (1 - p) - 1) < 0.02
    assert abs(decompose(draws.mean(1), p).variance / cramer_rao(1 / (p * (1 - p)), n) - 1) < 0.05
    medians = decompose(normal(101, 4000).median(1).values, 0.0)
    assert medians.variance > 1.4 * cramer_rao(1 / 4.0, 101)  # pi / 2 times as large


def test_students_interval_covers_what_it_says_and_the_normal_one_too_little() -> None:
    x = normal(5, 4000)
    share, error = coverage(*t_interval(x), 0.0)
    assert abs(share - 0.95) < 3 * max(error, 0.0034)
    half = 1.96 * x.std(1) / 5**0.5
    assert coverage(x.mean(1) - half, x.mean(1) + half, 0.0)[0] < 0.9


def test_the_percentile_bootstrap_covers_too_little_on_small_skewed_samples() -> None:
    generator = torch.Generator().manual_seed(0)
    skewed = torch.rand(2000, 8, generator=generator, dtype=torch.float64).log().neg()  # exponential, mean 1
    low, high = bootstrap_interval(skewed, lambda x: x.mean(1), resamples=300, generator=generator)
    share, error = coverage(low, high, 1.0)
    assert 0.75 < share < 0.95 - 6 * error
    even = normal(100, 1000)
    low, high = bootstrap_interval(even, lambda x: x.mean(1), resamples=300, generator=generator)
    assert abs(coverage(low, high, 0.0)[0] - 0.95) < 0.03


def test_a_tests_level_and_power_are_its_frequencies() -> None:
    for effect, expected in ((0.0, 0.05), (1.0, power(1.0, 2.0, 16))):
        means = normal(16).mean(1) + effect
        rejected = torch.tensor([z_test(float(m), 0.0, 2.0, 16) < 0.05 for m in means[:4000]]).double().mean()
        assert abs(float(rejected) - expected) < 0.025
    assert math.isclose(power(0.0, 1.0, 10), 0.05)
    assert math.isclose(z_test(1.0, 0.0, 1.0, 4), float(2 * stats.norm.sf(2.0)))


def test_many_hypotheses_need_a_correction() -> None:
    p = torch.tensor([0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205])
    assert holm(p).tolist() == [True] + [False] * 7
    expected = stats.false_discovery_control(p.double().numpy()) <= 0.05
    assert benjamini_hochberg(p.double()).tolist() == expected.tolist() and int(expected.sum()) == 2
    generator = torch.Generator().manual_seed(0)
    null = torch.rand(2000, 20, generator=generator, dtype=torch.float64)  # no effect anywhere
    assert float((null < 0.05).any(1).double().mean()) > 0.6
    assert float(torch.stack([holm(row).any() for row in null]).double().mean()) < 0.065


def test_impossible_values_are_one_line() -> None:
    with pytest.raises(UserError, match="empty"):
        decompose(torch.zeros(0), 1.0)
    with pytest.raises(UserError, match="Fisher information is 0"):
        cramer_rao(0.0, 10)
    with pytest.raises(UserError, match="standard deviation is -1"):
        z_test(0.0, 0.0, -1.0, 4)
