"""Noise on gradients: its variance falls with the steps, and the same step has the same noise in every process."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from callbacks.gradient_noise import GradientNoise
from common.messages import UserError


def noise(step: int) -> torch.Tensor:
    weight: Any = torch.nn.Parameter(torch.zeros(100, 100))
    weight.grad = torch.zeros(100, 100)
    trainer: Any = SimpleNamespace(global_step=step)
    model: Any = SimpleNamespace(parameters=lambda: [weight])
    GradientNoise(eta=0.3).on_before_optimizer_step(trainer, model, None)
    return weight.grad


def test_the_variance_is_eta_at_first_and_falls() -> None:
    assert float(noise(0).var()) == pytest.approx(0.3, rel=0.05)
    assert float(noise(99).var()) == pytest.approx(0.3 / 100**0.55, rel=0.05)


def test_a_step_has_its_noise_whatever_was_drawn_before() -> None:
    first = noise(5)
    torch.manual_seed(99)
    assert torch.equal(first, noise(5)) and not torch.equal(first, noise(6))


def test_a_negative_variance_is_refused() -> None:
    with pytest.raises(UserError, match="eta is -1"):
        GradientNoise(-1)
