"""Likelihood by the probability flow: that of a mixture follows from its exact score, and nothing is left in the
graph.
"""

import itertools

import pytest
import torch
from torch import Tensor

from datamodules.synthetic.mixture import MixturePoints
from lit_models.functional.flow_likelihood import flow_levels, log_likelihood
from lit_models.functional.noise_schedules import Level, NoiseSchedule


@pytest.mark.parametrize(
    ("kind", "zero_snr"), [("linear", False), ("flow", False), ("cosine", False), ("linear", True), ("cosine", True)]
)
def test_likelihood_is_the_mixtures_own(kind: str, zero_snr: bool) -> None:
    mixture = MixturePoints().mixture
    schedule = NoiseSchedule(kind, 100, zero_snr)  # type: ignore[arg-type]

    def denoise(x: Tensor, level: Level) -> tuple[Tensor, Tensor]:
        noise = -level.s * mixture.score(x, level.a, level.s)
        data = (x - level.s * noise) / level.a if level.a else mixture.means.to(x).mean(0).expand(len(x), -1)
        return data, noise

    levels = flow_levels(schedule, 100)
    first = levels[-1]
    x, _ = mixture.sample(100, torch.Generator().manual_seed(0))
    x = first.a * x.double() + first.s * torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).double()
    with torch.inference_mode():
        found = log_likelihood(denoise, x.clone(), levels, schedule.flow)
    true = mixture.log_prob(x, first.a, first.s)
    assert not found.requires_grad
    assert abs(float((found - true).mean())) < 0.02
    torch.testing.assert_close(found, true, atol=0.1, rtol=0)


@pytest.mark.parametrize(
    ("kind", "total"), [("linear", 1000), ("linear", 100), ("scaled_linear", 1000), ("flow", 1000)]
)
def test_levels_that_are_close_enough_stay_as_they_are(kind: str, total: int) -> None:
    schedule = NoiseSchedule(kind, total)  # type: ignore[arg-type]
    assert flow_levels(schedule, 100) == schedule.levels(100, "linspace")[:-1]


@pytest.mark.parametrize("zero_snr", [False, True])
def test_levels_are_added_where_sigma_rises_fast_and_have_data_left(zero_snr: bool) -> None:
    schedule = NoiseSchedule("cosine", 1000, zero_snr)
    levels = flow_levels(schedule, 100)
    ratios = [(level.sigma / to.sigma, to.sigma) for level, to in itertools.pairwise(levels)]
    assert all(ratio > 1 and (ratio < 1.15 or sigma <= 1) for ratio, sigma in ratios)
    assert all(0 < level.a < 1 and 0 <= level.t < 1000 for level in levels)
    assert {level for level in schedule.levels(100, "linspace")[:-1] if level.a} <= set(levels)
