"""Chains reach the moments of a known posterior, and what they are worth is measured rightly."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.probability.monte_carlo import (
    effective_sample_size,
    hamiltonian,
    leapfrog,
    metropolis,
    potential_scale_reduction,
)

COVARIANCE = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=torch.float64)
PRECISION = torch.linalg.inv(COVARIANCE)
MEAN = torch.tensor([1.0, -2.0], dtype=torch.float64)


def log_density(x: Tensor) -> Tensor:
    """A correlated Gaussian, without its constant."""
    return -torch.einsum("cd,de,ce->c", x - MEAN, PRECISION, x - MEAN) / 2


@pytest.mark.parametrize("sampler", ["metropolis", "hamiltonian"])
def test_chains_have_the_moments_of_the_posterior(sampler: str) -> None:
    start, generator = torch.zeros(200, 2, dtype=torch.float64), torch.Generator().manual_seed(0)
    if sampler == "metropolis":
        chains = metropolis(log_density, start, 500, 0.9, generator)
    else:
        chains = hamiltonian(log_density, start, 120, 0.25, 8, generator)
    kept = chains.states[len(chains.states) // 3 :]
    torch.testing.assert_close(kept.mean((0, 1)), MEAN, atol=0.04, rtol=0)
    torch.testing.assert_close(kept.flatten(0, 1).T.cov(), COVARIANCE, atol=0.05, rtol=0)
    assert float(potential_scale_reduction(kept).max()) < 1.1
    assert 0.2 < chains.accepted < 1.0


def test_with_a_coarse_path_the_decision_keeps_the_moments() -> None:
    """The leapfrog's error at this step size is large: without the right decision the spread would be wrong."""
    start = torch.zeros(200, 2, dtype=torch.float64)
    chains = hamiltonian(log_density, start, 400, 0.84, 3, torch.Generator().manual_seed(0))
    kept = chains.states[100:].flatten(0, 1)
    assert chains.accepted < 0.9
    torch.testing.assert_close(kept.T.cov(), COVARIANCE, atol=0.03, rtol=0)


def test_always_accepting_would_give_other_moments() -> None:
    """The control: a random walk without the decision spreads without end."""
    chains = metropolis(lambda x: torch.zeros(len(x)).to(x), torch.zeros(200, 2, dtype=torch.float64), 200, 0.9)
    assert float(chains.states[-1].var()) > 50


def test_the_leapfrog_returns_where_it_came_from_and_nearly_keeps_the_energy() -> None:
    q, p = torch.randn(5, 2, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    there, momentum = leapfrog(log_density, q, p, 0.02, 20)
    back, turned = leapfrog(log_density, there, -momentum, 0.02, 20)
    torch.testing.assert_close(back, q)
    torch.testing.assert_close(turned, -p)
    energy = (p.square().sum(1) / 2 - log_density(q), momentum.square().sum(1) / 2 - log_density(there))
    assert float((energy[0] - energy[1]).abs().max()) < 0.05


def test_chains_that_do_not_agree_have_a_large_r_hat() -> None:
    apart = torch.randn(100, 4, 1) + torch.arange(4.0)[None, :, None]
    assert float(potential_scale_reduction(apart)) > 1.2
    assert float(potential_scale_reduction(torch.randn(1000, 4, 1))) < 1.02


def test_the_effective_sample_size_of_an_autoregression_is_known() -> None:
    """x' = r x + noise has an autocorrelation time of (1 + r) / (1 - r)."""
    r, generator = 0.8, torch.Generator().manual_seed(0)
    x, states = torch.randn(50, 1, generator=generator), []
    for _ in range(1000):
        x = r * x + (1 - r * r) ** 0.5 * torch.randn(50, 1, generator=generator)
        states.append(x)
    expected = 50_000 * (1 - r) / (1 + r)
    assert abs(float(effective_sample_size(torch.stack(states))) / expected - 1) < 0.1
    assert abs(float(effective_sample_size(torch.randn(1000, 50, 1, generator=generator))) / 50_000 - 1) < 0.1


def test_hamiltonian_samples_are_worth_more_than_those_of_a_random_walk() -> None:
    start = MEAN.expand(20, 2)
    walk = metropolis(log_density, start, 400, 0.9, torch.Generator().manual_seed(0))
    paths = hamiltonian(log_density, start, 400, 0.25, 8, torch.Generator().manual_seed(0))
    assert float(effective_sample_size(paths.states).min()) > 2 * float(effective_sample_size(walk.states).min())


def test_wrong_arguments_are_one_line() -> None:
    with pytest.raises(UserError, match="step size is 0"):
        metropolis(log_density, torch.zeros(1, 2), 1, 0.0)
    with pytest.raises(UserError, match="one row for each chain"):
        hamiltonian(log_density, torch.zeros(2), 1, 0.1)
