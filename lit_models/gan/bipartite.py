"""Attention between the pixels of a picture and a few latents: simplex, and duplex by k-means.

Hudson and Zitnick 2021, "Generative adversarial transformers", section 3; the numbers are those of the published code.
K latents instead of all pixels make the cost linear in the number of pixels.

- Simplex: each pixel gathers information from the latents, by its query and their keys.
- Duplex: the latents first gather from the pixels. The keys are centroids, learned or, in further iterations, the mean
  of the pixels that are assigned to a latent, as in k-means. Content and position of a pixel are separate dimensions
  of the comparison. The keys of the latents themselves are not used: such a layer has none. (The published code makes
  them, and they never get a gradient.)

What was gathered does not replace the pixels: it scales them (``mul``), shifts them (``add``) or both, after they were
normalized. There is no residual connection, and no feed-forward layer follows.

Departs from the published code: ``both`` works at every width, and in a chain of layers (``iterative``) the first one,
which has no assignment to begin with, begins with the learned centroids; there both raise. Simplex attention has no
iterations; there they divide the same scores by sqrt(d) again. The gates are left out.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.gan.style_layers import EPS, EqualizedLinear

Integration = Literal["mul", "add", "both"]
Norm = Literal["layer", "instance", "none"]
FAR = -10_000.0  # added to the scores of a latent that is masked


class BipartiteAttention(nn.Module):
    """Pixels (B, F, C) and latents (B, K, D) -> pixels (B, F, C).

    Args:
        channels: C.
        latent_size: D, also the size of positions.
        num_latents: K.
        num_heads: Divides C. In duplex attention content and position are joined first and then cut into heads: with
            two heads the first compares contents, the second positions.
        duplex: The latents gather from the pixels first.
        iterations: Of k-means, in duplex attention.
        integration: How what was gathered changes the pixels.
        norm: Of the pixels before: over the channels of each (``layer``) or over all pixels (``instance``). ``mul``
            divides by the root mean square, ``add`` subtracts the mean.
        grid: Whether pixels have positions.
        positions: Whether latents have positions, which are part of their keys.
        dropout: Half of it drops single entries of the attention, half whole latents.
    """

    def __init__(
        self,
        channels: int,
        latent_size: int,
        num_latents: int,
        num_heads: int = 1,
        duplex: bool = False,
        iterations: int = 1,
        integration: Integration = "mul",
        norm: Norm = "layer",
        grid: bool = True,
        positions: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(f"num_heads is {num_heads}: it must divide the layer's {channels} channels")
        self.num_heads, self.duplex, self.iterations = num_heads, duplex, iterations
        self.integration, self.norm, self.dropout = integration, norm, dropout
        self.to_queries = EqualizedLinear(channels, channels)
        self.to_values = EqualizedLinear(latent_size, channels)
        self.from_pos_map = EqualizedLinear(latent_size, channels) if grid else None
        self.to_keys = self.to_pos_map = None
        if duplex:
            size = 2 * channels // num_heads
            self.centroids = nn.Parameter(torch.randn(1, num_heads, num_latents, size))
            self.att_weight = nn.Parameter(torch.ones(num_heads, 1, size))
        else:
            self.to_keys = EqualizedLinear(latent_size, channels)
            self.to_pos_map = EqualizedLinear(latent_size, channels) if positions else None
        self.modulation = EqualizedLinear(channels, channels * (2 if integration == "both" else 1))

    def forward(
        self,
        x: Tensor,
        latents: Tensor,
        grid: Tensor | None = None,
        positions: Tensor | None = None,
        mask: Tensor | None = None,
        prior: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Returns the pixels, the attention (B, heads, F, K), whose sum over K is 1, and in duplex attention what part
        each pixel has in a latent, (B, heads, K, F), whose sum over F is 1.

        Args:
            x: Pixels.
            latents: Latents.
            grid: Positions of pixels (F, D).
            positions: Positions of latents (K, D).
            mask: (B, K), 0 where a latent is left out.
            prior: An assignment (B, heads, K, F) that the centroids begin with; None: the learned ones.
        """
        query = content = self.to_queries(x)
        if self.from_pos_map is not None and grid is not None:
            query = query + self.from_pos_map(grid)
        depth = math.sqrt(query.shape[-1] // self.num_heads)
        assignment = None
        if self.duplex:
            pixels = self.heads(torch.cat([content, query - content], -1))  # (B, heads, F, 2d)
            centroids = self.centroids if prior is None else prior @ pixels
            for iteration in range(self.iterations):
                attention = self.softmax((pixels * self.att_weight) @ centroids.transpose(-1, -2) / depth, mask)
                if iteration + 1 < self.iterations:
                    centroids = assigned(attention) @ pixels
            assignment = assigned(attention)
        else:
            assert self.to_keys is not None
            key = self.to_keys(latents)
            if self.to_pos_map is not None and positions is not None:
                key = key + self.to_pos_map(positions)
            attention = self.softmax(self.heads(query) @ self.heads(key).transpose(-1, -2) / depth, mask)
        gathered = self.dropped(attention) @ self.heads(self.to_values(latents))  # (B, heads, F, d)
        return self.integrate(x, gathered.transpose(1, 2).flatten(2)), attention, assignment

    def heads(self, x: Tensor) -> Tensor:
        """(B, N, heads d) -> (B, heads, N, d)."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def softmax(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        """Over the latents."""
        return (scores if mask is None else scores + (1 - mask[:, None, None]) * FAR).softmax(-1)

    def dropped(self, attention: Tensor) -> Tensor:
        if not self.training or not self.dropout:
            return attention
        b, heads, _, k = attention.shape
        latents = F.dropout(attention.new_ones(b, heads, 1, k), self.dropout / 2)
        return F.dropout(attention, self.dropout / 2) * latents

    def integrate(self, x: Tensor, gathered: Tensor) -> Tensor:
        """The pixels, normalized and then scaled or shifted by what was gathered: (B, F, C), (B, F, C) -> (B, F, C)."""
        if self.norm != "none":
            over = -1 if self.norm == "layer" else -2
            if self.integration != "mul":
                x = x - x.mean(over, keepdim=True)
            if self.integration != "add":
                x = x * (x.square().mean(over, keepdim=True) + EPS).rsqrt()
        control = self.modulation(gathered)
        if self.integration == "add":
            return x + control
        if self.integration == "mul":
            return x * (1 + control)
        scale, shift = control.chunk(2, -1)
        return x * (1 + scale) + shift


def assigned(attention: Tensor) -> Tensor:
    """The part of each pixel in a latent: attention (B, heads, F, K), divided by its sum over F -> (B, heads, K, F)."""
    return (attention / (attention.sum(-2, keepdim=True) + EPS)).transpose(-1, -2)


class ImageAttention(BipartiteAttention):
    """The same for feature maps (B, C, side, side), whose pixels have sinusoidal positions.

    Args:
        side: In pixels.
        iterative: The centroids begin with the assignment of the layer before, if there is one.
        channels, latent_size, **attention: See ``BipartiteAttention``.
    """

    def __init__(
        self, side: int, channels: int, latent_size: int, iterative: bool = False, **attention: object
    ) -> None:
        super().__init__(channels, latent_size, **attention)  # type: ignore[arg-type]
        self.register_buffer("grid_pos", sinusoidal_grid(side, latent_size), persistent=False)
        self.iterative = iterative

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        latents: Tensor,
        positions: Tensor | None = None,
        mask: Tensor | None = None,
        maps: list[Tensor] | None = None,
    ) -> Tensor:
        """Returns feature maps; appends the attention (B, heads, K, side, side) to ``maps``."""
        b, _, h, w = x.shape
        grid: Tensor = self.grid_pos.flatten(0, 1)  # type: ignore[operator,union-attr,assignment]
        prior = None
        if self.iterative and self.duplex and maps:
            before = F.interpolate(maps[-1].flatten(0, 1), (h, w), mode="nearest")  # (B heads, K, side, side)
            prior = assigned(before.flatten(2).transpose(1, 2).unflatten(0, (b, -1)))
        y, attention, _ = super().forward(x.flatten(2).transpose(1, 2), latents, grid, positions, mask, prior)
        if maps is not None:
            maps.append(attention.transpose(-1, -2).unflatten(-1, (h, w)))
        return y.transpose(1, 2).unflatten(2, (h, w))


def sinusoidal_grid(side: int, size: int) -> Tensor:
    """Positions (side, side, size) of pixels: sines and cosines of x, then of y, each of size / 4 wavelengths.

    Raises:
        ValueError: 4 does not divide ``size``.
    """
    if size % 4:
        raise ValueError(f"a position of {size} numbers: the size of a latent must be a multiple of 4")
    line = torch.linspace(-1, 1, side)
    angles = line[:, None] / 10_000 ** (4 * torch.arange(size // 4) / size)  # (side, size / 4)
    waves = torch.cat([angles.sin(), angles.cos()], 1)  # (side, size / 2)
    return torch.cat([waves[None].expand(side, -1, -1), waves[:, None].expand(-1, side, -1)], 2)
