"""The losses of adversarial training, and the penalties on gradients that keep it stable.

- ``non_saturating``: Goodfellow et al. 2014, section 3: the generator maximizes log D(G(z)) instead of minimizing
  log(1 - D(G(z))), whose gradient vanishes where the discriminator is sure.
- ``wasserstein``: Arjovsky et al. 2017: the difference of the critic's means, which is a distance if the critic is
  1-Lipschitz. ``hinge``: Lim and Ye 2017; Miyato et al. 2018.
- ``gradient_penalty``: Gulrajani et al. 2017, equation 3. ``r1``: Mescheder et al. 2018, equation 9.
- ``path_length``: Karras et al. 2020, equation 4.

The gradients of penalties are taken in the precision of their operands, without autocast, and are differentiated again.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.layers.precision import at_least_float32, full_precision

Loss = Literal["non_saturating", "wasserstein", "hinge"]


def discriminator_loss(loss: Loss, real: Tensor, fake: Tensor) -> Tensor:
    """The sum of what real and generated samples cost the discriminator, each a mean: logits (B,), (B,) -> ().

    A discriminator that cannot tell them apart has a non-saturating loss of 2 ln 2.
    """
    real, fake = at_least_float32(real), at_least_float32(fake)
    if loss == "non_saturating":
        return F.softplus(-real).mean() + F.softplus(fake).mean()
    if loss == "wasserstein":
        return fake.mean() - real.mean()
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def generator_loss(loss: Loss, fake: Tensor) -> Tensor:
    """What the generator minimizes: logits (B,) of generated samples -> ()."""
    fake = at_least_float32(fake)
    return F.softplus(-fake).mean() if loss == "non_saturating" else -fake.mean()


def input_gradient(critic: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient (B, ...) of each sample's logit by that sample, to be differentiated again.

    The sum over the batch has the gradients of all samples at once, if no logit depends on another sample.
    """
    with torch.enable_grad(), full_precision(x):
        x = at_least_float32(x).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gradient


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """How far the norm of the critic's gradient is from 1 between real and generated samples: mean of (norm - 1)^2.

    Each sample (B, ...) has its own point on the line, and its own norm over all its dimensions.
    """
    weight = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
    between = fake.detach() + weight * (real - fake.detach())
    norm = input_gradient(critic, between).flatten(1).norm(dim=1)  # (B,)
    return (norm - 1).square().mean()


def r1(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """The squared norm of the discriminator's gradient at real samples, a mean over the batch."""
    return input_gradient(critic, real).square().flatten(1).sum(1).mean()


def path_lengths(images: Tensor, latents: Tensor, noise: Tensor, upstream: bool = False) -> Tensor:
    """How much images (B, C, H, W) change with their latents (B, ..., num_layers, D), along random images.

    StyleGAN2's formula: the squared gradient is summed over D, its mean taken over everything else.

    Args:
        images: Generated from ``latents``.
        latents: Intermediate latents, one for each layer.
        noise: Standard normal images, of the shape of ``images``.
        upstream: GANformer's published code takes the sum over the layers and the mean over its components instead,
            so that D lengths are left of each sample: (B, D).

    Returns:
        The lengths (B,), to be differentiated again.
    """
    scaled = noise / math.sqrt(images.shape[-2] * images.shape[-1])
    (gradient,) = torch.autograd.grad((images * scaled).sum(), latents, create_graph=True)
    if upstream:
        return gradient.square().sum(-2).mean(1).sqrt()
    return gradient.square().sum(-1).flatten(1).mean(1).sqrt()


def path_length_penalty(lengths: Tensor, mean: Tensor, keep: float = 0.99) -> tuple[Tensor, Tensor]:
    """How far path lengths are from their moving mean, squared, as in StyleGAN2.

    Args:
        lengths: Path lengths, (B,) or, upstream's, (B, D).
        mean: The moving mean () of the steps before.
        keep: Its weight in the new one.

    Returns:
        The penalty () and the new mean (), which it is measured from.
    """
    moved = mean.lerp(lengths.mean(), 1 - keep)
    return (lengths - moved).square().mean(), moved
