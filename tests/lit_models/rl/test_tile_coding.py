"""Tiles: against loops, and which states share them."""

import math

import pytest
import torch

from common.messages import UserError
from lit_models.rl.tile_coding import TileCoding


def test_tiles_are_those_of_a_loop_over_grids_and_dimensions() -> None:
    torch.manual_seed(0)
    coding = TileCoding([-1.0, 0.0, 2.0], [1.0, 5.0, 3.0], tilings=4, tiles=5)
    states = torch.rand(30, 3) * torch.tensor([2.0, 5.0, 1.0]) + torch.tensor([-1.0, 0.0, 2.0])
    for state, found in zip(states, coding(states), strict=True):
        for k in range(4):
            number = 0
            for d, (low, high) in enumerate(((-1, 1), (0, 5), (2, 3))):
                shift = (k * (2 * d + 1) / 4) % 1
                number += math.floor((float(state[d]) - low) / (high - low) * 5 + shift) * 6**d
            assert int(found[k]) == k * 6**3 + number


def test_one_tile_of_each_grid_is_active_and_near_states_share_most() -> None:
    coding = TileCoding([0.0, 0.0], [1.0, 1.0])
    here, near, far = coding(torch.tensor([[0.5, 0.5], [0.52, 0.5], [0.9, 0.1]]))
    assert (here // 81).tolist() == list(range(8))
    assert 5 <= int((here == near).sum()) < 8 and not bool((here == far).any())


def test_states_outside_of_the_limits_count_as_those_at_the_limits() -> None:
    coding = TileCoding([0.0], [1.0], 2, 4)
    assert torch.equal(coding(torch.tensor([[-9.0], [9.0]])), coding(torch.tensor([[0.0], [1.0]])))
    assert int(coding(torch.tensor([[9.0]])).max()) < coding.count


def test_wrong_limits_are_refused() -> None:
    for low, high in (([0.0], [1.0, 2.0]), ([1.0], [1.0]), ([], [])):
        with pytest.raises(UserError, match=r"model\.low"):
            TileCoding(low, high)
