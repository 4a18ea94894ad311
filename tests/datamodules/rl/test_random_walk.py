"""Episodes of the random walk."""

import pytest
import torch

from common.messages import UserError
from datamodules.rl.random_walk import RandomWalk


def test_each_walk_begins_in_the_middle_moves_by_one_and_is_paid_at_its_end_only() -> None:
    states, rewards = RandomWalk(num_train=50).load("fit")["train"]
    assert bool((states[:, 0] == 9).all())
    both = (states[:, 1:] >= 0) & (states[:, :-1] >= 0)
    assert bool(((states[:, 1:] - states[:, :-1]).abs()[both] == 1).all())
    lengths = (states >= 0).sum(1)
    assert torch.equal((rewards != 0).sum(1), torch.ones_like(lengths))
    assert torch.equal(rewards.abs().argmax(1), lengths - 1)
    last = states.gather(1, lengths[:, None] - 1)[:, 0]
    assert torch.equal(last == 18, rewards.sum(1) == 1) and torch.equal(last == 0, rewards.sum(1) == -1)


def test_an_even_number_of_states_has_no_middle() -> None:
    with pytest.raises(UserError, match="odd"):
        RandomWalk(num_states=6)
