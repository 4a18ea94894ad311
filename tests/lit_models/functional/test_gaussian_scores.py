"""Scores of normal predictions against their definitions."""

import math

import torch

from lit_models.functional.gaussian_scores import LEVELS, calibration_error, inside, normal_cdf, normal_crps, normal_nll

Y, MEAN, VARIANCE = (torch.tensor(v, dtype=torch.float64) for v in ([0.3, -2.0], [1.0, 0.5], [0.49, 4.0]))


def test_nll_is_that_of_torchs_distribution() -> None:
    expected = -torch.distributions.Normal(MEAN, VARIANCE.sqrt()).log_prob(Y)
    torch.testing.assert_close(normal_nll(Y, MEAN, VARIANCE), expected)


def test_crps_is_the_integral_of_the_squared_distance_of_two_distribution_functions() -> None:
    t = torch.linspace(-30, 30, 600_001, dtype=torch.float64)[:, None]
    steps = (normal_cdf((t - MEAN) / VARIANCE.sqrt()) - (t >= Y).double()).square()
    torch.testing.assert_close(normal_crps(Y, MEAN, VARIANCE), steps.sum(0) * 1e-4, atol=1e-4, rtol=0)


def test_crps_of_a_sure_prediction_is_the_absolute_error() -> None:
    torch.testing.assert_close(normal_crps(Y, MEAN, 1e-16 * VARIANCE), (Y - MEAN).abs())


def test_intervals_hold_what_they_say() -> None:
    y = torch.randn(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = torch.stack([inside(y, 0 * y, 0 * y + 1, level).double().mean() for level in LEVELS])
    assert float(calibration_error(found)) < 0.01
    assert float(calibration_error(found / 2)) > 0.2
    assert inside(torch.tensor(1.95), torch.tensor(0.0), torch.tensor(1.0), 0.95)
    assert not inside(torch.tensor(1.97), torch.tensor(0.0), torch.tensor(1.0), 0.95)


def test_the_least_nll_is_the_entropy_of_the_noise() -> None:
    y = torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    entropy = math.log(2 * math.pi * math.e) / 2
    assert abs(float(normal_nll(y, 0 * y, 0 * y + 1).mean()) - entropy) < 0.01
    assert float(normal_nll(y, 0 * y, 0 * y + 2).mean()) > entropy + 0.05
