"""Bandits as data."""

import pytest
import torch

from common.messages import UserError
from datamodules.rl.bandits import Bandits


def test_rewards_have_the_means_of_their_arms() -> None:
    for bernoulli in (False, True):
        data = Bandits(num_runs=4, num_pulls=4000, bernoulli=bernoulli)
        (rewards,) = data.load("fit")["train"]
        assert rewards.shape == (4000, 4, 10)
        torch.testing.assert_close(rewards.mean(0), data.arm_means, atol=0.08, rtol=0)
        assert not bernoulli or set(rewards.unique().tolist()) == {0.0, 1.0}


def test_no_pulls_are_refused() -> None:
    with pytest.raises(UserError, match="num_pulls is 0"):
        Bandits(num_pulls=0)
