"""Parameterizations: each determines data and noise; weights make their losses equal."""

import pytest
import torch

from lit_models.functional.noise_schedules import NoiseSchedule
from lit_models.functional.parameterizations import guide, loss_weight, parts, target

KINDS = ["epsilon", "x0", "v", "flow", "edm"]
DATA, NOISE = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("schedule", ["linear", "flow"])
@pytest.mark.parametrize("kind", KINDS)
def test_data_and_noise_follow_from_the_target(kind: str, schedule: str) -> None:
    a, s = NoiseSchedule(schedule).at(torch.tensor([0, 10, 500, 900, 998]), DATA)  # type: ignore[arg-type]
    x = a * DATA + s * NOISE
    data, noise = parts(kind, target(kind, DATA, NOISE, a, s), x, a, s)  # type: ignore[arg-type]
    torch.testing.assert_close(data, DATA)
    torch.testing.assert_close(noise, NOISE)


@pytest.mark.parametrize("schedule", ["linear", "flow"])
@pytest.mark.parametrize("kind", KINDS)
def test_min_snr_weighs_the_error_of_the_data_alike(kind: str, schedule: str) -> None:
    """The same wrong estimate of the data costs the same in each parameterization."""
    a, s = NoiseSchedule(schedule).at(torch.tensor([0, 10, 500, 900, 998]), DATA)  # type: ignore[arg-type]
    x, wrong = a * DATA + s * NOISE, DATA + 0.1
    prediction = target(kind, wrong, (x - a * wrong) / s, a, s)  # type: ignore[arg-type]
    error = (prediction - target(kind, DATA, NOISE, a, s)).square()  # type: ignore[arg-type]
    weighted = error * loss_weight(kind, a, s, 5.0)  # type: ignore[arg-type]
    torch.testing.assert_close(weighted, ((a / s) ** 2).clamp(max=5) * 0.01 * torch.ones_like(DATA))


def test_epsilon_and_v_are_different_losses_without_weights() -> None:
    a, s = NoiseSchedule().at(torch.tensor([0, 999]), DATA[:2])
    assert loss_weight("epsilon", a, s, 0).tolist() == loss_weight("v", a, s, 0).tolist()
    ratio = loss_weight("v", a, s, 5.0) / loss_weight("epsilon", a, s, 5.0)  # SNR / (SNR + 1)
    torch.testing.assert_close(ratio, a**2)


def test_v_is_the_preconditioning_of_karras_for_data_of_variance_one() -> None:
    """D = c_skip x / a + c_out F with c_skip = 1 / (sigma^2 + 1), c_out = sigma / sqrt(sigma^2 + 1) and F = -v."""
    a, s = NoiseSchedule().at(torch.tensor([0, 10, 500, 900, 998]), DATA)
    x, sigma = a * DATA + s * NOISE, s / a
    theirs = x / a / (sigma**2 + 1) - sigma / (sigma**2 + 1).sqrt() * NOISE
    torch.testing.assert_close(parts("v", NOISE, x, a, s)[0], theirs)


def test_guidance_of_one_is_none_and_of_zero_the_unconditional_one() -> None:
    assert torch.equal(guide(DATA, NOISE, 0.0), NOISE)
    torch.testing.assert_close(guide(DATA, NOISE, 1.0), DATA)
    torch.testing.assert_close(guide(DATA, NOISE, 3.0), 3 * DATA - 2 * NOISE)  # the paper's w = 2


def test_rescaled_guidance_has_the_conditional_deviation() -> None:
    rescaled = guide(DATA, NOISE, 4.0, rescale=1.0)
    torch.testing.assert_close(rescaled.std(1), DATA.std(1))
    assert not torch.allclose(guide(DATA, NOISE, 4.0).std(1), DATA.std(1))
