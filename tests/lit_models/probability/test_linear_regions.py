"""Pieces multiply with depth and add with width."""

import pytest
import torch

from lit_models.probability.linear_regions import pieces, random_network, sawtooth

ZERO, ONE = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)


@pytest.mark.parametrize("depth", [1, 2, 5, 8])
def test_the_sawtooth_has_two_to_the_depth_pieces(depth: int) -> None:
    net = sawtooth(depth)
    assert pieces(net, ZERO, ONE) == 2**depth
    x = torch.linspace(0, 1, 2**depth + 1, dtype=torch.float64)[:, None]
    assert torch.equal(net(x)[:, 0].detach(), torch.arange(2**depth + 1) % 2 * 1.0)  # up and down


def test_one_layer_has_at_most_a_piece_more_than_units() -> None:
    counts = [pieces(random_network(1, 20, seed=seed), -3 * ONE, 3 * ONE) for seed in range(5)]
    assert all(5 < count <= 21 for count in counts)


def test_depth_gains_more_pieces_than_the_same_units_in_one_layer() -> None:
    wide = sum(pieces(random_network(1, 60, seed=seed), -3 * ONE, 3 * ONE) for seed in range(5))
    deep = sum(pieces(random_network(4, 15, seed=seed), -3 * ONE, 3 * ONE) for seed in range(5))
    narrow = sum(pieces(random_network(1, 15, seed=seed), -3 * ONE, 3 * ONE) for seed in range(5))
    assert deep > 1.5 * narrow
    assert wide <= 5 * 61
