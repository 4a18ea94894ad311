"""Backpropagation through time, computed by hand. D2L 9.7, which has no code for it.

h_t = tanh(W x_t + U h_{t-1}), o_t = V h_t, and the loss is the mean cross-entropy over the steps. The gradient of a
state comes from its own output and from the next state:

    dL/dh_t = V^T dL/do_t + U^T (1 - h_{t+1}^2) dL/dh_{t+1}

Truncation cuts the second term: every ``tau`` steps (regular, what sequential partitioning does), or at random places
with a weight that keeps the gradient unbiased (Tallec and Ollivier 2017).
"""

import torch
from torch import Tensor


def forward(w: Tensor, u: Tensor, v: Tensor, x: Tensor, h0: Tensor) -> tuple[Tensor, Tensor]:
    """States (T + 1, H), the first is ``h0``, and logits (T, K); W (H, D), U (H, H), V (K, H), x (T, D)."""
    states = [h0]
    for x_t in x:
        states.append(torch.tanh(w @ x_t + u @ states[-1]))
    h = torch.stack(states)
    return h, h[1:] @ v.T


def loss(logits: Tensor, y: Tensor) -> Tensor:
    """The mean cross-entropy of targets y (T,)."""
    return -logits.log_softmax(1)[torch.arange(len(y)), y].mean()


def gradients(
    w: Tensor, u: Tensor, v: Tensor, x: Tensor, y: Tensor, h0: Tensor, links: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of ``loss`` with respect to W, U and V, by hand.

    Args:
        w, u, v, x, h0: See ``forward``.
        y: Targets (T,).
        links: Factor (T,) of the gradient from step t + 1 to step t, at index t; the last is not used. None means ones:
            full backpropagation. See ``regular`` and ``randomized``.
    """
    steps = len(x)
    h, logits = forward(w, u, v, x, h0)
    d_logits = logits.softmax(1)
    d_logits[torch.arange(steps), y] -= 1
    d_logits = d_logits / steps  # (T, K)
    d_w, d_u = torch.zeros_like(w), torch.zeros_like(u)
    d_next = torch.zeros_like(h0)  # U^T (1 - h_{t+1}^2) dL/dh_{t+1}
    for t in reversed(range(steps)):
        link = 1.0 if links is None else links[t]
        d_h = v.T @ d_logits[t] + link * d_next
        d_a = (1 - h[t + 1] ** 2) * d_h  # before the tanh
        d_w += torch.outer(d_a, x[t])
        d_u += torch.outer(d_a, h[t])
        d_next = u.T @ d_a
    return d_w, d_u, d_logits.T @ h[1:]


def regular(steps: int, tau: int) -> Tensor:
    """Links that truncate after each ``tau`` steps: 0 where t + 1 is a multiple of tau."""
    return ((torch.arange(steps) + 1) % tau != 0).double()


def randomized(steps: int, keep: float, generator: torch.Generator) -> Tensor:
    """Links that are 1 / keep with probability ``keep`` and 0 otherwise: their mean is 1."""
    return torch.bernoulli(torch.full((steps,), keep, dtype=torch.float64), generator=generator) / keep
