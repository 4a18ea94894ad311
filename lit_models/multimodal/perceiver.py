"""Perceiver: a few latent vectors attend to all pixels, so that the input may be long and of any kind.

Jaegle et al. 2021, "Perceiver: general perception with iterative attention". Not in D2L; CS25. No patches, no
convolution: an input of M vectors costs M times L for L latents, where a transformer's attention costs M squared. What
it knows of a pixel's place is in the Fourier features beside its value; without them a picture is a bag of pixels.
Names of layers are those of transformers' ``PerceiverModel``.

    dive fit multimodal/perceiver                                    5,000 real MNIST digits of 196 pixels, offline
    dive fit multimodal/perceiver --model.positions false            a bag of pixels

The numbers they reach are in RESULTS.md.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.layers.attention import fused_attention
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains


def fourier_positions(side: int, bands: int) -> Tensor:
    """Features (side^2, 2 (2 bands + 1)) of places in the plane: the place, then sines, then cosines.

    Coordinates go from -1 to 1; frequencies are evenly spaced from 1 to half the resolution (Nyquist's), times pi.
    """
    line = torch.linspace(-1, 1, side, dtype=torch.float64)
    places = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2)  # (M, 2)
    frequencies = torch.linspace(1, side / 2, bands, dtype=torch.float64)
    angles = math.pi * (places[..., None] * frequencies).flatten(1)  # (M, 2 bands)
    return torch.cat([places, angles.sin(), angles.cos()], 1)


class PerceiverAttention(nn.Module):
    """Latents (B, L, D) attend to inputs (B, M, F), or to themselves without any -> (B, L, D); then a dense part.

    Args:
        latent_size: Features D.
        input_size: Features F; 0: the latents attend to themselves.
        num_heads: Heads, a divisor of the inputs' features, in which queries, keys and values are as wide as those.
    """

    def __init__(self, latent_size: int, input_size: int, num_heads: int) -> None:
        super().__init__()
        self.cross, width = bool(input_size), input_size or latent_size
        self.num_heads = num_heads
        self.latent_norm = nn.LayerNorm(latent_size)
        self.input_norm = nn.LayerNorm(input_size) if input_size else nn.Identity()
        self.query, self.key, self.value = (
            nn.Linear(latent_size, width),
            nn.Linear(width, width),
            nn.Linear(width, width),
        )
        self.output = nn.Linear(width, latent_size)
        self.norm = nn.LayerNorm(latent_size)
        self.dense1, self.dense2 = nn.Linear(latent_size, latent_size), nn.Linear(latent_size, latent_size)

    def forward(self, latents: Tensor, inputs: Tensor | None = None) -> Tensor:
        normed = self.latent_norm(latents)
        memory = normed if inputs is None else self.input_norm(inputs)
        q, k, v = (
            part.unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for part in (self.query(normed), self.key(memory), self.value(memory))
        )
        latents = latents + self.output(fused_attention(q, k, v).transpose(1, 2).flatten(2))
        return latents + self.dense2(F.gelu(self.dense1(self.norm(latents))))


class Perceiver(nn.Module):
    """Latents attend to the pixels, then to each other; classes from their mean. (B, C, S, S) -> (B, num_classes).

    Args:
        in_channels, num_classes, image_size: Of the images, S pixels wide and high.
        num_latents, latent_size: Latents L and their features D.
        num_layers: Layers of self-attention behind each reading of the pixels.
        num_heads: Heads of the self-attention; the pixels are read with one.
        num_reads: How often the pixels are read, each time with the same weights.
        bands: Frequencies of the Fourier features in each direction.
        positions: Without them an image is a bag of pixels.
    """

    positions: Tensor

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int = 28,
        num_latents: int = 16,
        latent_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 4,
        num_reads: int = 1,
        bands: int = 8,
        positions: bool = True,
    ) -> None:
        super().__init__()
        table = fourier_positions(image_size, bands).float() * float(positions)
        self.register_buffer("positions", table, persistent=False)
        self.latents = nn.Parameter(0.02 * torch.randn(num_latents, latent_size))
        self.read = PerceiverAttention(latent_size, in_channels + table.shape[1], 1)
        self.layers = nn.ModuleList(PerceiverAttention(latent_size, 0, num_heads) for _ in range(num_layers))
        self.num_reads = num_reads
        self.fc = nn.Linear(latent_size, num_classes)

    def features(self, x: Tensor) -> Tensor:
        """The latents (B, L, D) after all layers."""
        pixels = x.flatten(2).transpose(1, 2)  # (B, M, C)
        places = self.positions.to(x.dtype).expand(x.shape[0], -1, -1)
        inputs = torch.cat([pixels, places], 2)
        latents = self.latents.expand(x.shape[0], -1, -1)
        for _ in range(self.num_reads):
            latents = self.read(latents, inputs)
            for layer in self.layers:
                latents = layer(latents)
        return latents

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean(1))


@trains(Perceiver)
class LitPerceiver(ImageClassifier):
    """The Perceiver trained as a classifier."""
