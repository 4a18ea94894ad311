"""Adversarial samples: images close to given ones on which a classifier's loss is as large as possible.

Goodfellow et al. 2015, "Explaining and Harnessing Adversarial Examples" (FGSM); Madry et al. 2018, "Towards Deep
Learning Models Resistant to Adversarial Attacks" (PGD). Goodfellow et al. 7.13. Both search within ``epsilon`` of each
pixel.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Losses = Callable[[Tensor], Tensor]  # of inputs (B, ...): a loss (B,) for each


def fgsm(losses: Losses, x: Tensor, epsilon: float, low: float = 0.0, high: float = 1.0) -> Tensor:
    """One step of length ``epsilon`` along the sign of the gradient of each input's loss, kept within [low, high]."""
    return (x + epsilon * uphill(losses, x)).clamp(low, high)


def pgd(
    losses: Losses,
    x: Tensor,
    epsilon: float,
    step: float,
    steps: int,
    start: Tensor | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> Tensor:
    """Steps along the sign of the gradient, each projected to within ``epsilon`` of x and to [low, high].

    Args:
        losses: Gives the loss of each input.
        x: Inputs (B, ...).
        epsilon: The largest change of an entry, in its own units.
        step: Length of a step.
        steps: Number of steps.
        start: What the search begins with, as an offset from x; None begins at x, where some gradients vanish.
        low, high: The range of an entry.
    """
    attacked = x if start is None else (x + start.clamp(-epsilon, epsilon)).clamp(low, high)
    for _ in range(steps):
        moved = attacked + step * uphill(losses, attacked)
        attacked = torch.minimum(torch.maximum(moved, x - epsilon), x + epsilon).clamp(low, high)
    return attacked


def uphill(losses: Losses, x: Tensor) -> Tensor:
    """The sign of the gradient of each input's loss, of the shape of x; no parameter gets a gradient."""
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(losses(at).sum(), at)
    return gradient.sign()
