"""Filling in and inversion, with the exact denoiser of two correlated numbers."""

import torch
from torch import Tensor

from lit_models.functional.diffusion_samplers import sample
from lit_models.functional.inpainting import inpaint, invert
from lit_models.functional.noise_schedules import Level, NoiseSchedule

RHO = 0.9  # correlation of two numbers of mean 0 and variance 1
COVARIANCE = torch.tensor([[1.0, RHO], [RHO, 1.0]], dtype=torch.float64)


def denoise(x: Tensor, level: Level) -> tuple[Tensor, Tensor]:
    total = level.a**2 * COVARIANCE + level.s**2 * torch.eye(2, dtype=torch.float64)
    white = torch.linalg.solve(total, x.T).T
    return level.a * white @ COVARIANCE, level.s * white


def filled(repeats: int, steps: int = 40) -> Tensor:
    """The second number where the first is 1.5 (N,)."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 2, generator=generator, dtype=torch.float64)
    data, keep = torch.tensor([[1.5, 0.0]], dtype=torch.float64), torch.tensor([[True, False]])
    *_, last = inpaint(denoise, x, NoiseSchedule().levels(steps), data, keep, repeats, generator)
    assert bool((last[:, 0] == 1.5).all())
    return last[:, 1]


def test_what_is_filled_in_has_the_conditional_mean_only_if_steps_are_repeated() -> None:
    once, often = filled(1), filled(10)
    assert abs(float(often.mean()) - RHO * 1.5) < 0.08
    assert abs(float(once.mean()) - RHO * 1.5) > 0.15
    assert abs(float(often.std()) - (1 - RHO**2) ** 0.5) < 0.1


def test_the_noise_of_a_sample_makes_the_sample() -> None:
    schedule, x = NoiseSchedule(), torch.tensor([[1.0, 0.2], [-0.5, -0.7]], dtype=torch.float64)
    levels = schedule.levels(500)
    noise = invert(denoise, x, [*levels[:-1], schedule.level(0)])
    *_, again = sample(denoise, noise, levels, "ddim")
    torch.testing.assert_close(again, x, atol=0.02, rtol=0)
    assert not torch.allclose(noise, x, atol=0.1)


def test_where_nothing_is_kept_a_step_is_that_of_the_ancestral_sampler() -> None:
    x, keep = torch.randn(3, 2, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.bool)
    levels = NoiseSchedule().levels(7)
    first, second = (torch.Generator().manual_seed(1) for _ in range(2))
    found = list(inpaint(denoise, x, levels, x, keep, 1, first))
    torch.testing.assert_close(torch.stack(found), torch.stack(list(sample(denoise, x, levels, generator=second))))
