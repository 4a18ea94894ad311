"""Noise levels as vectors: sines and cosines, then two dense layers. Ho et al. 2020, appendix B.

The layers' names and the order of sines and cosines are those of diffusers' ``UNet2DModel``, so that its weights load.
"""

import math

import torch
from torch import Tensor, nn


def time_features(t: Tensor, size: int, max_period: float = 10_000.0, shift: int = 0) -> Tensor:
    """Noise levels t (B,), also between whole numbers -> (B, size): cosines, then sines, of falling frequencies.

    Args:
        t: The levels.
        size: Number of features.
        max_period: Of the slowest ones, in levels times 2 pi, about.
        shift: With 1 the last frequency is exactly 1 / max_period, as in diffusers' DiT.

    Raises:
        ValueError: ``size`` is odd.
    """
    if size % 2:
        raise ValueError(f"time_features of size {size}: give an even number")
    half = size // 2
    dtype = torch.promote_types(t.dtype, torch.float32) if t.is_floating_point() else torch.float32
    frequencies = (-math.log(max_period) * torch.arange(half, device=t.device, dtype=dtype) / (half - shift)).exp()
    angles = t[:, None].to(dtype) * frequencies
    return torch.cat([angles.cos(), angles.sin()], 1)


class TimeEmbedding(nn.Module):
    """(B, in_size) -> (B, size).

    Args:
        in_size: Number of features.
        size: Of the embedding.
    """

    def __init__(self, in_size: int, size: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(in_size, size)
        self.linear_2 = nn.Linear(size, size)

    def forward(self, features: Tensor) -> Tensor:
        return self.linear_2(nn.functional.silu(self.linear_1(features.to(self.linear_1.weight.dtype))))
