"""Backpropagation through time by hand: equal to autograd, truncated where it is cut, right on average at random."""

import pytest
import torch
from torch import Tensor

from lit_models.rnn.bptt import forward, gradients, loss, randomized, regular


def problem(steps: int = 12) -> list[Tensor]:
    torch.manual_seed(1)
    shapes = [(4, 3), (4, 4), (5, 4), (steps, 3)]
    w, u, v, x = (0.7 * torch.randn(shape, dtype=torch.float64) for shape in shapes)
    return [w, u, v, x, torch.randint(5, (steps,)), torch.randn(4, dtype=torch.float64)]


def autograd(w: Tensor, u: Tensor, v: Tensor, x: Tensor, y: Tensor, h0: Tensor, tau: int = 0) -> tuple[Tensor, ...]:
    weights = [p.clone().requires_grad_() for p in (w, u, v)]
    if not tau:
        return torch.autograd.grad(loss(forward(*weights, x, h0)[1], y), weights)  # type: ignore[call-arg, arg-type]
    logits, h = [], h0
    for start in range(0, len(x), tau):
        states, part = forward(*weights, x[start : start + tau], h.detach())  # type: ignore[call-arg, arg-type]
        logits.append(part)
        h = states[-1]
    return torch.autograd.grad(loss(torch.cat(logits), y), weights)


def test_by_hand_equals_autograd() -> None:
    for mine, theirs in zip(gradients(*problem()), autograd(*problem()), strict=True):  # type: ignore[call-arg, arg-type]
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("tau", [1, 4, 5])
def test_truncated_equals_autograd_on_detached_pieces(tau: int) -> None:
    found = gradients(*problem(), links=regular(12, tau))  # type: ignore[misc]
    for mine, theirs in zip(found, autograd(*problem(), tau=tau), strict=True):  # type: ignore[misc]
        torch.testing.assert_close(mine, theirs)
    assert not torch.allclose(found[1], gradients(*problem())[1])  # type: ignore[call-arg, arg-type]


def test_random_truncation_is_right_on_average_and_regular_is_not() -> None:
    full = gradients(*problem(5))[1]  # type: ignore[call-arg, arg-type]
    draw = torch.Generator().manual_seed(0)
    found = torch.stack([gradients(*problem(5), links=randomized(5, 0.6, draw))[1] for _ in range(500)])  # type: ignore[misc]
    error = found.std(0) / 500**0.5
    assert bool(((found.mean(0) - full).abs() < 5 * error + 1e-12).all())
    biased = gradients(*problem(5), links=regular(5, 2))[1]  # type: ignore[misc]
    assert bool(((biased - full).abs() > 5 * error).any())
