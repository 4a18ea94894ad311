"""Adversarial losses and penalties against their formulas."""

import math

import pytest
import torch
from torch import nn

from lit_models.tasks.adversarial_losses import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    input_gradient,
    path_lengths,
    r1,
)

REAL, FAKE = torch.tensor([0.3, -1.2, 2.0]), torch.tensor([-0.4, 0.9])


def test_a_discriminator_that_cannot_tell_them_apart_costs_twice_ln_2() -> None:
    zero = torch.zeros(4)
    assert float(discriminator_loss("non_saturating", zero, zero)) == pytest.approx(2 * math.log(2))
    assert float(generator_loss("non_saturating", zero)) == pytest.approx(math.log(2))


def test_non_saturating_losses_are_binary_cross_entropies() -> None:
    bce = nn.functional.binary_cross_entropy_with_logits
    expected = bce(REAL, torch.ones(3)) + bce(FAKE, torch.zeros(2))
    torch.testing.assert_close(discriminator_loss("non_saturating", REAL, FAKE), expected)
    torch.testing.assert_close(generator_loss("non_saturating", FAKE), bce(FAKE, torch.ones(2)))


def test_the_generator_still_learns_where_the_discriminator_is_sure() -> None:
    logit = torch.tensor([-20.0], requires_grad=True)
    generator_loss("non_saturating", logit).backward()  # type: ignore[no-untyped-call]
    assert float(logit.grad) == pytest.approx(-1)  # of log(1 - D) it would be 2e-9


def test_wasserstein_is_the_difference_of_means_and_hinge_stops_at_a_margin_of_one() -> None:
    assert float(discriminator_loss("wasserstein", REAL, FAKE)) == pytest.approx(0.25 - 1.1 / 3)
    assert float(discriminator_loss("hinge", torch.tensor([1.5]), torch.tensor([-1.5]))) == 0
    assert float(discriminator_loss("hinge", torch.tensor([0.5]), torch.tensor([-0.5]))) == pytest.approx(1.0)


def test_half_precision_logits_do_not_round_the_loss() -> None:
    low = discriminator_loss("non_saturating", REAL.bfloat16(), FAKE.bfloat16())
    assert low.dtype is torch.float32


def test_the_penalty_takes_each_sample_s_norm() -> None:
    """Of a linear critic all norms are |w|; of |x|^2 / 2 they are |x|, different for each sample."""
    w = torch.tensor([3.0, 4.0])
    x = torch.randn(5, 2)
    assert float(gradient_penalty(lambda x: x @ w, x, x)) == pytest.approx(16, rel=1e-5)
    found = gradient_penalty(lambda x: x.square().sum(1) / 2, x, x)
    torch.testing.assert_close(found, (x.norm(dim=1) - 1).square().mean())


def test_r1_is_the_sum_over_pixels_and_the_mean_over_images() -> None:
    x = torch.randn(3, 1, 4, 4)
    found = r1(lambda x: x.square().sum((1, 2, 3)) / 2, x)
    torch.testing.assert_close(found, x.square().sum() / 3)


def test_penalties_can_be_differentiated_twice() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    weight = net[0].weight

    def penalty(w: torch.Tensor) -> torch.Tensor:
        return r1(lambda x: (torch.tanh(x @ w.T) @ net[2].weight.T)[:, 0], x)

    assert torch.autograd.gradcheck(penalty, (weight,))
    assert torch.autograd.gradgradcheck(penalty, (weight,))


def test_the_gradient_is_taken_without_autocast() -> None:
    net = nn.Linear(4, 1)
    x = torch.randn(3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = input_gradient(lambda x: net(x)[:, 0], x)
    torch.testing.assert_close(found, net.weight.expand(3, 4))


def test_path_length_is_the_root_of_the_mean_over_layers_of_the_squared_norm() -> None:
    """Of images that are linear in the latents the Jacobian is known."""
    torch.manual_seed(0)
    latents = torch.randn(2, 3, 5, requires_grad=True)  # (B, layers, D)
    jacobian = torch.randn(4 * 4, 3 * 5)
    images = (latents.flatten(1) @ jacobian.T).reshape(2, 1, 4, 4)
    noise = torch.randn_like(images)
    gradient = (noise.flatten(1) / 4 @ jacobian).reshape(2, 3, 5)
    torch.testing.assert_close(path_lengths(images, latents, noise), gradient.square().sum(2).mean(1).sqrt())
