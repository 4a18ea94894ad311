"""Markov chain Monte Carlo: Metropolis and Hamiltonian Monte Carlo, many chains at once.

Metropolis et al. 1953; Duane et al. 1987, "Hybrid Monte Carlo"; Neal 2011, "MCMC using Hamiltonian dynamics".
Goodfellow et al. 17.3. A density is needed only up to its constant, as a function from states (C, D) to log-densities
(C,).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from common.messages import UserError

LogDensity = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Chains:
    """What a sampler returns.

    Args:
        states: (steps, C, D), after each step.
        accepted: The fraction of proposals that were accepted.
    """

    states: Tensor
    accepted: float


def check(start: Tensor, step_size: float) -> None:
    if start.ndim != 2:
        raise UserError(f"the start of the chains has the shape {tuple(start.shape)}: give one row for each chain")
    if not step_size > 0:
        raise UserError(f"the step size is {step_size}: it must be above 0")


@torch.no_grad()
def metropolis(
    log_density: LogDensity, start: Tensor, steps: int, step_size: float, generator: torch.Generator | None = None
) -> Chains:
    """Random-walk Metropolis: a Gaussian step is accepted with probability min(1, p(new) / p(old)).

    Args:
        log_density: Of states, up to a constant.
        start: (C, D).
        steps: Of each chain.
        step_size: Standard deviation of a proposal; about 0.23 of them accepted is best in many dimensions.
        generator: Draws proposals and decisions.
    """
    check(start, step_size)
    state, energy, kept, accepted = start, log_density(start), [], 0.0
    for _ in range(steps):
        new = state + step_size * torch.randn(state.shape, generator=generator, dtype=state.dtype)
        log_p = log_density(new)
        yes = torch.rand(len(state), generator=generator, dtype=state.dtype).log() < log_p - energy  # (C,)
        state, energy = torch.where(yes[:, None], new, state), torch.where(yes, log_p, energy)
        accepted += float(yes.float().mean()) / steps
        kept.append(state)
    return Chains(torch.stack(kept), accepted)


def leapfrog(
    log_density: LogDensity, position: Tensor, momentum: Tensor, step_size: float, leaps: int
) -> tuple[Tensor, Tensor]:
    """Position and momentum (C, D) after so many steps of Hamilton's equations: reversible, keeps volume."""

    def force(q: Tensor) -> Tensor:
        with torch.enable_grad():
            q = q.detach().requires_grad_()
            return torch.autograd.grad(log_density(q).sum(), q)[0]

    momentum = momentum + step_size / 2 * force(position)
    for leap in range(leaps):
        position = position + step_size * momentum
        momentum = momentum + step_size * (1.0 if leap < leaps - 1 else 0.5) * force(position)
    return position, momentum


@torch.no_grad()
def hamiltonian(
    log_density: LogDensity,
    start: Tensor,
    steps: int,
    step_size: float,
    leaps: int = 10,
    generator: torch.Generator | None = None,
) -> Chains:
    """Hamiltonian Monte Carlo: a new momentum, a leapfrog path, and a decision about its error of energy.

    Args:
        log_density: Of states, up to a constant; it is differentiated.
        start: (C, D).
        steps: Of each chain.
        step_size: Of the leapfrog.
        leaps: Leapfrog steps of a proposal.
        generator: Draws momenta and decisions.
    """
    check(start, step_size)
    state, kept, accepted = start, [], 0.0
    for _ in range(steps):
        momentum = torch.randn(state.shape, generator=generator, dtype=state.dtype)
        new, turned = leapfrog(log_density, state, momentum, step_size, leaps)
        before = log_density(state) - momentum.square().sum(1) / 2
        after = log_density(new) - turned.square().sum(1) / 2
        yes = torch.rand(len(state), generator=generator, dtype=state.dtype).log() < after - before
        state = torch.where(yes[:, None], new, state)
        accepted += float(yes.float().mean()) / steps
        kept.append(state)
    return Chains(torch.stack(kept), accepted)


def potential_scale_reduction(states: Tensor) -> Tensor:
    """Gelman and Rubin's R-hat (D,) of chains (steps, C, D), each cut in halves: near 1 where the chains agree."""
    half = len(states) // 2
    chains = torch.cat([states[:half], states[half : 2 * half]], 1)  # (S, 2 C, D)
    within = chains.var(0).mean(0)
    between = chains.mean(0).var(0)
    return ((within * (half - 1) / half + between) / within).sqrt()


def effective_sample_size(states: Tensor) -> Tensor:
    """How many independent samples (D,) the chains (S, C, D) are worth: Geyer's initial positive sequence."""
    steps, chains, _ = states.shape
    centered = states - states.mean((0, 1))
    spectrum = torch.fft.rfft(centered, n=2 * steps, dim=0).abs().square()
    covariance = torch.fft.irfft(spectrum, dim=0)[:steps].mean(1) / steps  # (S, D)
    rho = covariance / covariance[0]
    pairs = rho[: steps // 2 * 2].reshape(-1, 2, rho.shape[1]).sum(1)  # (S / 2, D)
    positive = (pairs > 0).cumprod(0)
    time = 2 * (pairs * positive).sum(0) - 1  # the integrated autocorrelation time
    return steps * chains / time.clamp(min=1 / (steps * chains))
