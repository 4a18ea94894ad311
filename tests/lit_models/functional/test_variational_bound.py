"""The variational bound: with the exact denoiser of one Gaussian it is close to the entropy, and never below."""

import math

import pytest
import torch

from lit_models.functional.noise_schedules import NoiseSchedule
from lit_models.functional.variational_bound import bound_terms, log_interval, prior_term


@pytest.mark.parametrize(("variance", "excess"), [("small", 1.0), ("large", 0.1)])
def test_bound_is_above_the_entropy_where_the_denoiser_is_exact(variance: str, excess: float) -> None:
    """The posterior's variance is too small at the first levels, where much of the data is still to be drawn."""
    schedule, std, rows = NoiseSchedule("linear", 300), 0.5, 4000
    generator = torch.Generator().manual_seed(0)
    data = std * torch.randn(rows, 1, generator=generator, dtype=torch.float64)
    total = prior_term(schedule, data).mean()
    for level in range(300):
        t = torch.full((rows,), level)
        a, s = schedule.at(t, data)
        x = a * data + s * torch.randn(rows, 1, generator=generator, dtype=torch.float64)
        estimate = a * std**2 / ((a * std) ** 2 + s**2) * x
        total += bound_terms(schedule, data, estimate, t, variance).mean()  # type: ignore[arg-type]
    entropy = math.log(std * math.sqrt(2 * math.pi * math.e))
    assert -0.02 < float(total) - entropy < excess


def test_a_wrong_estimate_costs_more() -> None:
    schedule, data, t = NoiseSchedule(), torch.zeros(3, 4), torch.tensor([0, 1, 500])
    right, wrong = (bound_terms(schedule, data, data + error, t) for error in (0.0, 0.3))
    assert bool((wrong > right).all())


def test_intervals_of_256_values_sum_to_one() -> None:
    values = torch.linspace(-1, 1, 256, dtype=torch.float64)[:, None]
    mean, std = torch.tensor([[-1.3, 0.2, 0.99]], dtype=torch.float64), torch.tensor(0.1, dtype=torch.float64)
    probabilities = log_interval(values, mean, std, 256).exp().sum(0)
    torch.testing.assert_close(probabilities, torch.ones(3, dtype=torch.float64))


def test_pixels_cost_at_least_nothing() -> None:
    """A density of whole numbers can be above 1; a probability cannot."""
    schedule, data, t = NoiseSchedule(), torch.full((1, 3), 1 / 255), torch.tensor([0])
    assert (
        float(bound_terms(schedule, data, data, t, bins=0)) < 0 < float(bound_terms(schedule, data, data, t, bins=256))
    )


def test_the_last_level_costs_little() -> None:
    assert 0 <= float(prior_term(NoiseSchedule(), torch.ones(1, 5))) < 1e-3
