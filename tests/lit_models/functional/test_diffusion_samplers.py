"""Samplers with the exact denoiser of one Gaussian, whose samples and trajectories are known."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_models.functional.diffusion_samplers import added_variance, sample
from lit_models.functional.noise_schedules import CLEAN, Level, NoiseSchedule

MEAN, STD = 0.5, 0.4


def denoise(x: Tensor, level: Level) -> tuple[Tensor, Tensor]:
    """E[data | x] and E[noise | x] of data from N(MEAN, STD^2)."""
    variance = (level.a * STD) ** 2 + level.s**2
    gap = (x - level.a * MEAN) / variance
    return MEAN + level.a * STD**2 * gap, level.s * gap


def run(
    sampler: str, steps: int, kind: str = "linear", spacing: str = "trailing", rows: int = 20_000, **settings: float
) -> Tensor:
    schedule = NoiseSchedule(kind, 1000)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, 1, generator=generator, dtype=torch.float64)
    levels = schedule.levels(steps, spacing)  # type: ignore[arg-type]
    how: dict[str, Any] = {"sampler": sampler, "generator": generator, "flow": schedule.flow, **settings}
    *_, last = sample(denoise, x, levels, **how)
    return last


@pytest.mark.parametrize(
    ("sampler", "steps", "kind"),
    [("ancestral", 1000, "linear"), ("ddim", 100, "linear"), ("euler", 100, "flow"), ("heun", 25, "linear")]
    + [("heun", 25, "flow"), ("dpm", 25, "linear"), ("dpm", 25, "flow"), ("ddim", 100, "cosine")],
)
def test_samples_have_the_datas_mean_and_deviation(sampler: str, steps: int, kind: str) -> None:
    x = run(sampler, steps, kind)
    assert abs(float(x.mean()) - MEAN) < 0.02 and abs(float(x.std()) - STD) < 0.02


def exact_end(x: Tensor, first: Level) -> Tensor:
    """Where the probability flow takes x from the first level: it keeps the place among all standard deviations."""
    return MEAN + STD * (x - first.a * MEAN) / math.sqrt((first.a * STD) ** 2 + first.s**2)


def errors(sampler: str, steps: int) -> float:
    """Of the way from the first level to level 0, which no solver takes in one step to a known end."""
    schedule = NoiseSchedule()
    levels = schedule.levels(steps, "karras")[:-1]
    x = torch.tensor([[-1.0], [0.3], [2.0]], dtype=torch.float64)
    *_, last = sample(denoise, x, levels, sampler, flow=False)  # type: ignore[arg-type]
    end = levels[-1]
    truth = end.a * MEAN + math.sqrt((end.a * STD) ** 2 + end.s**2) * (exact_end(x, levels[0]) - MEAN) / STD
    return float((last - truth).abs().max())


def test_orders_of_the_solvers() -> None:
    """Half the step, half the error: first order; a quarter: second order."""
    assert 1.7 < errors("euler", 100) / errors("euler", 200) < 2.3
    assert 3.4 < errors("heun", 100) / errors("heun", 200) < 4.6
    assert errors("dpm", 100) / errors("dpm", 200) > 3
    assert errors("heun", 50) < errors("euler", 50) / 5


def test_ddim_without_noise_is_eulers_method() -> None:
    for kind in ("linear", "flow"):
        torch.testing.assert_close(run("ddim", 20, kind, rows=10), run("euler", 20, kind, rows=10))


def test_ddim_with_eta_one_is_the_ancestral_sampler() -> None:
    torch.testing.assert_close(run("ddim", 20, rows=10, eta=1.0), run("ancestral", 20, rows=10))
    assert not torch.allclose(run("ddim", 20, rows=10), run("ancestral", 20, rows=10))


def test_ancestral_mean_is_equation_7_of_ho() -> None:
    schedule = NoiseSchedule()
    level, to = schedule.level(500), schedule.level(499)
    beta, posterior = added_variance(level, to)
    assert math.isclose(beta, float(schedule.betas[500]))
    assert math.isclose(posterior, beta * (1 - to.a**2) / (1 - level.a**2))
    x = torch.tensor([[0.7]], dtype=torch.float64)
    data, noise = denoise(x, level)
    ours = to.a * data + math.sqrt(to.s**2 - posterior) * noise
    theirs = (to.a * beta * data + math.sqrt(1 - beta) * to.s**2 * x) / level.s**2
    torch.testing.assert_close(ours, theirs)


def test_nothing_is_added_to_the_sample_itself() -> None:
    level = NoiseSchedule().level(0)
    x = torch.zeros(1000, 1)
    (last,) = sample(denoise, x, [level, CLEAN], "ancestral", variance="large")
    assert float(last.std()) < 1e-6


def test_inversion_returns_to_the_noise() -> None:
    levels = NoiseSchedule().levels(200, "karras")[:-1]
    x = torch.tensor([[-1.0], [0.4]], dtype=torch.float64)
    *_, data = sample(denoise, x, levels, "heun")
    *_, again = sample(denoise, data, levels[::-1], "heun")
    torch.testing.assert_close(again, x, atol=5e-3, rtol=0)


@pytest.mark.parametrize(("fraction", "variance"), [(0.0, "small"), (1.0, "large")])
def test_a_learned_variance_at_its_limits_makes_the_steps_of_the_two_others(fraction: float, variance: str) -> None:
    def learned(x: Tensor, level: Level) -> tuple[Tensor, ...]:
        return *denoise(x, level), torch.full_like(x, fraction)

    x, levels = torch.randn(50, 1, dtype=torch.float64), NoiseSchedule().levels(8)
    ends: list[Tensor] = []
    for function, name in ((learned, "learned"), (denoise, variance)):
        *_, last = sample(function, x, levels, variance=name, generator=torch.Generator().manual_seed(2))  # type: ignore[arg-type]
        ends.append(last)
    torch.testing.assert_close(*ends)
