"""The book's numbers of test samples (D2L 4.6), and simulations that the formulas hold."""

import math

import pytest
import torch

from lit_models.linear.sample_size import (
    best_of_many,
    expected_gain,
    generalization_gap,
    hoeffding_bound,
    samples_for_hoeffding,
    samples_for_standard_error,
    standard_error,
)


def test_one_standard_deviation_of_a_hundredth_takes_2500_samples() -> None:
    assert samples_for_standard_error(0.01) == 2500
    assert standard_error(0.5, 2500) == pytest.approx(0.01)


def test_two_standard_deviations_take_10000() -> None:
    assert samples_for_standard_error(0.01, deviations=2) == 10_000


def test_hoeffding_takes_about_15000_for_one_side_and_18445_for_both() -> None:
    assert samples_for_hoeffding(0.01, sides=1) == 14_979  # the book's "roughly 15,000"
    assert samples_for_hoeffding(0.01) == 18_445
    assert hoeffding_bound(0.01, 14_979, sides=1) <= 0.05 < hoeffding_bound(0.01, 14_978, sides=1)


def test_a_good_model_needs_fewer() -> None:
    assert samples_for_standard_error(0.01, rate=0.1) == 900


def test_twice_the_precision_takes_four_times_the_samples() -> None:
    assert samples_for_standard_error(0.005) == 4 * samples_for_standard_error(0.01)


def test_measured_rates_scatter_as_the_formula_says() -> None:
    rates = (torch.rand(4000, 400) < 0.2).float().mean(1)
    assert float(rates.std()) == pytest.approx(standard_error(0.2, 400), rel=0.05)


def test_hoeffding_holds_and_is_loose() -> None:
    off = ((torch.rand(4000, 100) < 0.5).float().mean(1) - 0.5).abs() >= 0.1
    assert 0.02 < float(off.float().mean()) < hoeffding_bound(0.1, 100)


def test_the_best_of_many_guesses_looks_better_than_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    gains = [float(best_of_many(1000, 500, generator)) - 0.5 for _ in range(10)]
    mean = sum(gains) / len(gains)
    assert 0.05 < mean < expected_gain(1000, 500)
    assert abs(float(best_of_many(1, 50_000, generator)) - 0.5) < 0.01  # chosen before: measured true


def test_more_models_share_the_risk() -> None:
    more = samples_for_hoeffding(0.01, models=1000) - samples_for_hoeffding(0.01)
    assert more == pytest.approx(math.log(1000) / 2e-4, abs=1)


def test_the_vc_bound_shrinks_with_data_and_is_vacuous_for_a_network() -> None:
    assert generalization_gap(10, 100_000) < generalization_gap(10, 1000) < 0.4
    assert generalization_gap(200_000, 200_000) > 1
