"""Posteriors against numerical integration and sequential updates."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from common.messages import UserError
from lit_models.probability.conjugate import BetaBernoulli, GammaPoisson, NormalNormal


def test_a_coins_posterior_and_evidence_are_integrals_over_its_prior() -> None:
    prior = BetaBernoulli(2.0, 3.0)

    def weighted(p: float, power: float = 0.0) -> float:
        return float(stats.beta.pdf(p, 2, 3) * p**7 * (1 - p) ** 4 * p**power)

    evidence = integrate.quad(weighted, 0, 1)[0]
    assert math.isclose(prior.log_evidence(7, 4), math.log(evidence), abs_tol=1e-9)
    mean = integrate.quad(weighted, 0, 1, args=(1.0,))[0] / evidence
    assert math.isclose(prior.after(7, 4).mean, mean, abs_tol=1e-9)


def test_a_fair_coin_beats_an_unknown_one_on_even_counts_and_loses_on_uneven_ones() -> None:
    """Evidence prefers the simpler model where it fits (Occam's razor)."""
    for heads, fair_wins in ((50, True), (70, False)):
        fair = 100 * math.log(0.5)
        assert (fair > BetaBernoulli().log_evidence(heads, 100 - heads)) is fair_wins


def test_all_at_once_equals_one_after_another() -> None:
    counts, values = np.array([3, 0, 2]), np.array([0.4, -1.0, 2.2])
    gamma, normal = GammaPoisson(2.0, 1.5), NormalNormal(0.5, 2.0, 1.3)
    one_gamma, one_normal = gamma, normal
    for count, value in zip(counts, values, strict=True):
        one_gamma, one_normal = one_gamma.after(np.array([count])), one_normal.after(np.array([value]))
    assert one_gamma == gamma.after(counts)
    assert math.isclose(one_normal.mean, normal.after(values).mean) and math.isclose(
        one_normal.std, normal.after(values).std
    )


def test_the_evidence_of_normal_values_is_their_joint_density() -> None:
    model, x = NormalNormal(0.5, 2.0, 1.3), np.array([0.4, -1.0, 2.2])
    covariance = 1.3**2 * np.eye(3) + 2.0**2
    expected = stats.multivariate_normal(np.full(3, 0.5), covariance).logpdf(x)
    assert math.isclose(model.log_evidence(x), float(expected), abs_tol=1e-9)


def test_the_next_count_is_predicted_with_the_uncertainty_of_its_rate() -> None:
    posterior = GammaPoisson(3.0, 2.0)
    expected = integrate.quad(lambda r: stats.gamma.pdf(r, 3, scale=0.5) * stats.poisson.pmf(4, r), 0, np.inf)[0]
    assert math.isclose(posterior.log_predictive(4), math.log(expected), abs_tol=1e-8)


def test_intervals_hold_their_probability() -> None:
    low, high = BetaBernoulli(8, 4).interval(0.9)
    assert math.isclose(float(stats.beta.cdf(high, 8, 4) - stats.beta.cdf(low, 8, 4)), 0.9)
    low, high = GammaPoisson(8, 4).interval(0.9)
    assert math.isclose(float(stats.gamma.cdf(high, 8, scale=0.25) - stats.gamma.cdf(low, 8, scale=0.25)), 0.9)
    low, high = NormalNormal(1.0, 0.5).interval(0.95)
    assert math.isclose(low, 1 - 1.959964 * 0.5, abs_tol=1e-5) and math.isclose(low + high, 2.0)


def test_impossible_values_are_one_line() -> None:
    with pytest.raises(UserError, match="noise is -1"):
        NormalNormal(noise=-1.0)
    with pytest.raises(UserError, match="counts are at least 0"):
        BetaBernoulli().after(-1, 2)
    with pytest.raises(UserError, match="whole numbers"):
        GammaPoisson().after(np.array([1.5]))
