"""Positions of patches: near ones are alike, and each is its own."""

import torch

from lit_models.layers.axis_positions import AxisPositions, positions_of
from lit_models.layers.positions import SinusoidalPositions


def test_a_patch_is_most_like_its_neighbors_in_time_row_and_column() -> None:
    table = AxisPositions(64, 4, 5).table.view(4, 5, 5, 64)
    likeness = table @ table[1, 2, 2]
    assert likeness.flatten().argmax() == 1 * 25 + 2 * 5 + 2
    assert likeness[1, 2, 2] > likeness[1, 2, 3] > likeness[1, 2, 4]
    assert likeness[1, 2, 2] > likeness[1, 3, 2] > likeness[1, 4, 2]
    assert likeness[1, 2, 2] > likeness[2, 2, 2] > likeness[3, 2, 2]


def test_each_patch_has_its_own_and_all_features_are_used() -> None:
    for size in (6, 10, 64):
        layer = AxisPositions(size, 3, 4)
        x = torch.randn(2, 48, size)
        assert layer(x).shape == x.shape and layer.table.shape == (48, size)
        assert float(torch.pdist(layer.table).min()) > 0.1


def test_the_sequence_is_the_papers() -> None:
    layer = positions_of("sequence", 8, 2, 3)
    assert isinstance(layer, SinusoidalPositions) and layer.table.shape == (18, 8)
    assert isinstance(positions_of("axes", 8, 2, 3), AxisPositions)
