"""Positions of the patches of clips: of their number, or of their time, row and column.

Vaswani et al. 2017, 3.5, whose sines of a number Tong et al. 2022 take for the patches of a clip. Departs from both
with ``axes``: a patch below another one is then as near to it as one beside it.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from lit_models.layers.positions import SinusoidalPositions

Positions = Literal["sequence", "axes"]


class AxisPositions(nn.Module):
    """Adds sines and cosines of a patch's time, row and column. (B, N, hidden_size) -> the same.

    The wavelengths are those of a few patches: positions are the more alike the nearer they are.

    Args:
        hidden_size: Features: about a quarter for the time, the rest for row and column; at least 6, an even number.
        times, side: Patches along the time, and along a row or column.
    """

    table: Tensor

    def __init__(self, hidden_size: int, times: int, side: int) -> None:
        super().__init__()
        time = max(2, hidden_size // 8 * 2)
        row = (hidden_size - time) // 4 * 2
        places = torch.meshgrid(*(torch.arange(n) for n in (times, side, side)), indexing="ij")
        parts: list[Tensor] = []
        for place, size in zip(places, (time, row, hidden_size - time - row), strict=True):
            frequencies = 1.5 * 20.0 ** (-torch.arange(size // 2) / (size // 2))  # wavelengths from 4 to 84 patches
            angle = place.flatten()[:, None] * frequencies
            parts += [angle.sin(), angle.cos()]
        self.register_buffer("table", torch.cat(parts, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table.to(x.dtype)


def positions_of(kind: Positions, hidden_size: int, times: int, side: int) -> nn.Module:
    """The layer that adds the positions of ``times`` x ``side`` x ``side`` patches."""
    if kind == "axes":
        return AxisPositions(hidden_size, times, side)
    return SinusoidalPositions(hidden_size, times * side**2)
