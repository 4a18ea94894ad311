"""Tiled convolution: one tile is a convolution, as many as positions is unshared, and kernels take turns between."""

import pytest
import torch
from torch import nn

from lit_models.convolution.tiled import TiledConv2d
from lit_models.convolution.unshared import UnsharedConv2d


def test_one_tile_is_a_convolution() -> None:
    layer, conv = TiledConv2d(2, 3, 3, 2, 1, tiles=1).double(), nn.Conv2d(2, 3, 3, 2, 1).double()
    layer.load_state_dict({"weight": conv.weight[None, None], "bias": conv.bias[None, None]})  # type: ignore[index]
    x = torch.randn(2, 2, 9, 8).double()
    torch.testing.assert_close(layer(x), conv(x))


@pytest.mark.parametrize("tiles", [2, 3, 4, 5])
def test_kernels_take_turns_as_unshared_ones_copied_in_turn(tiles: int) -> None:
    layer, unshared = TiledConv2d(2, 3, 3, 2, 1, tiles).double(), UnsharedConv2d(2, 3, (8, 7), 3, 2, 1).double()
    with torch.no_grad():
        for i in range(4):
            for j in range(4):
                unshared.weight[4 * i + j] = layer.weight[i % tiles, j % tiles].flatten(1)
                unshared.bias[:, i, j] = layer.bias[i % tiles, j % tiles]
    x = torch.randn(2, 2, 8, 7).double()
    torch.testing.assert_close(layer(x), unshared(x))


def test_moving_by_all_tiles_moves_the_maps_and_by_one_does_not() -> None:
    layer, x = TiledConv2d(1, 1, 3, tiles=2), torch.zeros(1, 1, 12, 12)
    x[..., 4:7, 4:7] = torch.rand(3, 3)
    y = layer(x) - layer(torch.zeros_like(x))
    for distance, same in ((2, True), (1, False)):
        moved = layer(x.roll((distance, distance), (2, 3))) - layer(torch.zeros_like(x))
        assert torch.allclose(moved, y.roll((distance, distance), (2, 3)), atol=1e-6) == same
