"""Likelihood by the probability flow: that of a mixture follows from its exact score, and nothing is left in the
graph.
"""

import pytest
import torch
from torch import Tensor

from datamodules.synthetic.mixture import MixturePoints
from lit_models.functional.flow_likelihood import log_likelihood
from lit_models.functional.noise_schedules import Level, NoiseSchedule


@pytest.mark.parametrize("kind", ["linear", "flow"])
def test_likelihood_is_the_mixtures_own(kind: str) -> None:
    mixture = MixturePoints().mixture
    schedule = NoiseSchedule(kind, 100)  # type: ignore[arg-type]

    def denoise(x: Tensor, level: Level) -> tuple[Tensor, Tensor]:
        noise = -level.s * mixture.score(x, level.a, level.s)
        data = (x - level.s * noise) / level.a if level.a else mixture.means.to(x).mean(0).expand(len(x), -1)
        return data, noise

    levels = schedule.levels(100, "linspace")[:-1]
    first = levels[-1]
    x, _ = mixture.sample(100, torch.Generator().manual_seed(0))
    x = first.a * x.double() + first.s * torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).double()
    with torch.inference_mode():
        found = log_likelihood(denoise, x.clone(), levels, schedule.flow)
    true = mixture.log_prob(x, first.a, first.s)
    assert not found.requires_grad
    assert abs(float((found - true).mean())) < 0.02
    torch.testing.assert_close(found, true, atol=0.1, rtol=0)
