"""Tile coding: a continuous state as a few ones among many zeros, several grids that are shifted against each other.

Sutton and Barto 9.5.4; Silver's lecture 6. Nearby states share most of their tiles, so that what is learned in one
generalizes to the other; a linear function of the tiles is constant within the smallest cells.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from common.messages import UserError


class TileCoding(nn.Module):
    """States (..., D) -> numbers of their active tiles (..., tilings), one in each grid.

    Grid k of n is shifted by k/n of a tile times (1, 3, 5, ...): equal shifts in all dimensions would leave
    artifacts along the diagonal (Sutton and Barto, figure 9.11).

    Args:
        low: Smallest value of each dimension; smaller ones count as this.
        high: Largest value of each dimension.
        tilings: Grids.
        tiles: Tiles of a grid in each dimension, one more where it is shifted.

    Raises:
        UserError: The limits do not fit each other, or there is nothing to tile.
    """

    low: Tensor
    span: Tensor
    shift: Tensor
    stride: Tensor

    def __init__(self, low: Sequence[float], high: Sequence[float], tilings: int = 8, tiles: int = 8) -> None:
        super().__init__()
        if len(low) != len(high) or not low or any(a >= b for a, b in zip(low, high, strict=True)):
            raise UserError(
                f"model.low {list(low)} and model.high {list(high)}: give a smaller and a larger number each"
            )
        if tilings < 1 or tiles < 1:
            raise UserError(f"model.tilings is {tilings}, model.tiles is {tiles}: give whole numbers of at least 1")
        dimensions = torch.arange(len(low))
        self.tilings, self.tiles, self.count = tilings, tiles, tilings * (tiles + 1) ** len(low)
        self.register_buffer("low", torch.tensor(low, dtype=torch.float32), persistent=False)
        self.register_buffer("span", torch.tensor(high, dtype=torch.float32) - self.low, persistent=False)
        shift = torch.arange(tilings)[:, None] * (2 * dimensions + 1) / tilings % 1
        self.register_buffer("shift", shift.float(), persistent=False)
        self.register_buffer("stride", (tiles + 1) ** dimensions, persistent=False)

    def forward(self, state: Tensor) -> Tensor:
        unit = ((state - self.low) / self.span).clamp(0, 1) * self.tiles
        cell = (unit[..., None, :] + self.shift).long().clamp(max=self.tiles)  # (..., tilings, D)
        grid = torch.arange(self.tilings, device=state.device) * (self.tiles + 1) ** len(self.low)
        return (cell * self.stride).sum(-1) + grid
