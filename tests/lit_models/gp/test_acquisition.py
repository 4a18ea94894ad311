"""Acquisition functions against their definitions."""

import pytest
import torch

from lit_models.gp.acquisition import confidence_bound, expected_improvement, noisy_expected_improvement
from lit_models.gp.exact import ExactGP

MEAN, STD = torch.tensor([0.0, -1.0, 3.0]).double(), torch.tensor([1.0, 0.5, 0.2]).double()


def test_expected_improvement_is_the_mean_of_the_improvements() -> None:
    torch.manual_seed(0)
    drawn = MEAN + STD * torch.randn(400_000, 3, dtype=torch.float64)
    expected = (-0.3 - drawn).clamp(min=0).mean(0)
    torch.testing.assert_close(expected_improvement(MEAN, STD, -0.3), expected, atol=0.003, rtol=0)


def test_a_sure_place_is_worth_its_improvement() -> None:
    zero = torch.zeros(2).double()
    assert expected_improvement(torch.tensor([1.0, 3.0]).double(), zero, 2.0).tolist() == pytest.approx([1.0, 0.0])


def test_the_bound_is_below_the_mean() -> None:
    torch.testing.assert_close(confidence_bound(MEAN, STD, 3.0), MEAN - 3 * STD)


def process(noise: float) -> ExactGP:
    x = torch.linspace(0, 1, 6).double()[:, None]
    gp = ExactGP(kernel=[{"rbf": {"length_scale": 0.2}}], noise=noise)
    gp.remember(x, (5 * x[:, 0]).sin())
    return gp.eval()


def test_without_noise_the_noisy_improvement_is_the_plain_one() -> None:
    gp, places = process(1e-4), torch.rand(9, 1, generator=torch.Generator().manual_seed(0)).double()
    mean, variance, _ = gp(places)
    plain = expected_improvement(mean, variance.sqrt(), gp.y.min() * gp.std + gp.mean)
    torch.testing.assert_close(noisy_expected_improvement(gp, places), plain.detach(), atol=2e-3, rtol=0)


def test_with_noise_an_evaluated_place_is_worth_evaluating_again() -> None:
    """Plain expected improvement compares with the luckiest value; here the same place may be better than it looked."""
    torch.manual_seed(0)
    best = process(0.5).y.argmin()
    found = [float(noisy_expected_improvement(gp, gp.x[best][None])) for gp in (process(1e-3), process(0.5))]
    assert found[0] < 1e-3
    assert float(noisy_expected_improvement(process(0.5), torch.tensor([[0.9]]).double())) > 0.01
