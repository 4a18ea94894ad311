"""StyleGAN2, small: a mapping network makes styles, and the styles scale the weights of convolutions.

Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN" (configurations E and F: a generator with
skip connections, a residual discriminator). Not in D2L. R1 every 16 batches, path length every 4, both in steps of
their own with the optimizers' rates and betas scaled; style mixing; averaged weights; truncation.
Departs from the paper: few channels and a mapping of few layers, for pictures of 16 and 32 pixels; two noises are mixed
anew for each sample; as in GANformer's code the last block has a further convolution before its image.

    dive fit gan/stylegan2                                  colored solids, offline
    dive fit gan/stylegan2_cifar10                          CIFAR-10
    dive generate gan/stylegan2 --truncation 0.7 --mixing   samples near the mean style, and styles exchanged

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn

from lit_models.gan.scenes import SceneAdversarial
from lit_models.gan.style_layers import EqualizedLinear, to_unit_rms
from lit_models.gan.style_networks import Architecture, Discriminator, Noise, Synthesis
from lit_models.tasks.trains import trains

MEAN_DECAY = 0.995  # of the mean style, per call in training


class Mapping(nn.Module):
    """Noise (B, latent_size) -> a style for all layers (B, style_size); ``w_avg`` is the mean style of training.

    Args:
        latent_size, style_size: Sizes.
        num_layers: Dense layers.
        rate: Their learning rate is so much smaller than the other layers'.
    """

    w_avg: Tensor

    def __init__(self, latent_size: int, style_size: int, num_layers: int, rate: float = 0.01) -> None:
        super().__init__()
        sizes = [latent_size] + [style_size] * num_layers
        self.num_layers = num_layers
        for k in range(num_layers):
            self.add_module(f"l{k}", EqualizedLinear(sizes[k], sizes[k + 1], rate=rate, activation=True))
        self.register_buffer("w_avg", torch.zeros(style_size))

    def forward(self, z: Tensor) -> Tensor:
        w = to_unit_rms(z)
        for k in range(self.num_layers):
            w = self.get_submodule(f"l{k}")(w)
        if self.training:
            follow(self.w_avg, w)
        return w


@torch.no_grad()
def follow(mean: Tensor, ws: Tensor) -> None:
    """Moves the mean style, in place, toward the mean of styles (..., D)."""
    mean.lerp_(ws.flatten(0, -2).mean(0).to(mean), 1 - MEAN_DECAY)


class StyleGenerator(nn.Module):
    """A mapping network and a synthesis network. Noise -> images; in training with mixed styles and random noise.

    Args:
        mapping: Noise (B, ...) -> styles (B, ..., D), without layers.
        synthesis: Styles (B, ..., num_layers, D) -> images.
        mixing: Probability in training that a sample takes its styles from some layer on from another noise.
    """

    def __init__(self, mapping: nn.Module, synthesis: nn.Module, mixing: float = 0.9) -> None:
        super().__init__()
        self.mapping, self.synthesis, self.mixing = mapping, synthesis, mixing

    def styles(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None, **mapping: Any) -> Tensor:
        """Styles (B, ..., num_layers, D) of noise.

        Args:
            z: Noise.
            truncation: How far a style is from the mean style: 0 the mean, 1 as it is.
            cutoff: Only the first so many layers are truncated.
            **mapping: Passed to the mapping network.
        """
        layers: int = self.synthesis.num_layers  # type: ignore[assignment]
        ws = self.mapping(z, **mapping)[..., None, :]
        ws = ws.expand(*ws.shape[:-2], layers, -1)
        if truncation != 1:
            near = self.mapping.w_avg.lerp(ws, truncation)  # type: ignore[operator,union-attr]
            ws = near if cutoff is None else torch.cat([near[..., :cutoff, :], ws[..., cutoff:, :]], -2)
        if self.training and self.mixing:
            other = self.mapping(torch.randn_like(z), **mapping)[..., None, :]
            first = torch.randint(1, layers, (len(z), 1), device=z.device)
            kept = (torch.rand(len(z), 1, device=z.device) >= self.mixing) | (
                torch.arange(layers, device=z.device) < first
            )
            ws = torch.where(kept.view(len(z), *[1] * (ws.ndim - 3), layers, 1), ws, other)
        return ws

    def images(self, ws: Tensor, noise: Noise | None = None, **synthesis: Any) -> Tensor:
        """Images of styles; the layers' noise is random in training and constant in evaluation, if not told."""
        return self.synthesis(ws, noise=noise or ("random" if self.training else "const"), **synthesis)

    def forward(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        return self.images(self.styles(z, truncation))


class StyleGAN2(nn.Module):
    """The two networks of a StyleGAN2. Noise (B, latent_size) -> images (B, in_channels, S, S).

    Args:
        in_channels: Channels of an image.
        image_size: Side S of an image, a power of two from 8 on.
        latent_size: Numbers in the noise and in a style.
        mapping_layers: Dense layers that make a style; 8 in the paper.
        width: Channels at side s are ``width`` / s; 32,768 in the paper.
        max_channels: But at most so many; 512 in the paper.
        architecture: Of the generator: ``skip``, the paper's, or ``resnet``.
        mixing: Probability that a sample of training has the styles of two noises.
        group_size: Samples that the discriminator's minibatch deviation compares.
    """

    def __init__(
        self,
        in_channels: int = 3,
        image_size: int = 32,
        latent_size: int = 64,
        mapping_layers: int = 4,
        width: int = 1024,
        max_channels: int = 64,
        architecture: Architecture = "skip",
        mixing: float = 0.9,
        group_size: int = 4,
    ) -> None:
        super().__init__()
        self.latent_shape, self.num_conditions, self.num_classes = (latent_size,), 0, 0
        synthesis = Synthesis(image_size, in_channels, latent_size, width, max_channels, architecture)
        self.generator = StyleGenerator(Mapping(latent_size, latent_size, mapping_layers), synthesis, mixing)
        self.discriminator = Discriminator(image_size, in_channels, width, max_channels, group_size)

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)


@trains(StyleGAN2)
class LitStyleGAN2(SceneAdversarial):
    """A StyleGAN2."""
