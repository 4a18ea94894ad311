"""Rollouts: their rows, their minibatches, whole episodes."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from common.messages import UserError
from datamodules.rl.rollouts import Rollout, Rollouts


class Endless(gymnasium.Env):
    """No episode ends; the reset after the last of ``resets`` and the twentieth step fail."""

    observation_space, action_space = gymnasium.spaces.Box(0, 1, (1,)), gymnasium.spaces.Discrete(2)

    def __init__(self, resets: int = 2) -> None:
        self.resets, self.steps = resets, 0

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[np.ndarray, dict[str, object]]:
        self.resets -= 1
        if self.resets < 0:
            raise KeyError("start")
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        self.steps += 1
        if self.steps == 20:
            raise KeyError("mass")
        return np.zeros(1, dtype=np.float32), 1.0, False, False, {}


if "Endless-v0" not in gymnasium.registry:
    gymnasium.register("Endless-v0", Endless)  # type: ignore[arg-type]


class Player:
    """Pushes at random, and learns from row numbers."""

    def rows(self, rollout: Rollout) -> tuple[torch.Tensor, ...]:
        self.rollout = rollout
        return (torch.arange(int(rollout.valid.sum())),)


def rollouts(**arguments: Any) -> tuple[Rollouts, Player]:
    data, player = Rollouts(**arguments), Player()
    data.act = lambda observation, greedy=False: torch.randint(2, (len(observation),))  # type: ignore[method-assign,assignment]
    data.trainer = type("T", (), {"lightning_module": player, "global_rank": 0})()  # type: ignore[assignment]
    return data, player


def test_the_minibatches_of_a_pass_are_all_transitions_once() -> None:
    torch.manual_seed(0)
    data, player = rollouts(num_envs=4, num_steps=40, passes=2, rollouts=3, batch_size=32)
    assert len(data.train_dataloader()) == 3 * 2 * 5
    for _ in range(2):
        seen = torch.cat([data.next_batch()[0] for _ in range(5)])
        valid = player.rollout.valid
        assert seen.sort().values.tolist() == list(range(int(valid.sum()))) and 100 < len(seen) < 160
    assert bool((~valid[1:] == player.rollout.over[:-1]).all())  # the row after an end


def test_every_minibatch_has_a_row_where_resets_leave_fewer_rows_than_minibatches() -> None:
    torch.manual_seed(0)
    data, player = rollouts(num_envs=2, num_steps=20, batch_size=1, max_steps=4)
    batches = [data.next_batch()[0] for _ in range(40)]
    assert int(player.rollout.valid.sum()) == 32 and {len(batch) for batch in batches} == {1}
    assert torch.cat(batches).unique().tolist() == list(range(32))


def test_a_rollout_that_is_only_a_reset_is_not_learned_from() -> None:
    data, _ = rollouts(num_envs=1, num_steps=1, passes=1, max_steps=1)
    assert [data.next_batch()[0].tolist() for _ in range(4)] == [[0]] * 4


def test_a_rollout_goes_on_where_the_last_one_stopped() -> None:
    data, _ = rollouts(num_envs=3, num_steps=5)
    first, second = data.collect(), data.collect()
    assert torch.equal(first.observation[-1], second.observation[0])


def test_whole_episodes_begin_and_end_once_for_each_environment() -> None:
    torch.manual_seed(0)
    data, _ = rollouts(num_envs=5, whole_episodes=True, max_steps=30)
    for _ in range(2):
        rollout = data.collect()
        assert bool((rollout.observation[0].abs() <= 0.05).all())
        assert ((~rollout.returns.isnan()).sum(0) == 1).all()
        assert torch.equal(rollout.valid.sum(0).double(), rollout.returns.nan_to_num().sum(0))


def test_a_whole_episode_without_an_end_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datamodules.rl.rollouts.LONGEST", 5, raising=False)
    data, _ = rollouts(env_id="Endless-v0", num_envs=1, whole_episodes=True)
    with pytest.raises(UserError, match=r"an episode of Endless-v0 has no end: give --data.max_steps"):
        data.collect()


def test_a_failure_in_the_reset_before_a_whole_episode_is_one_line() -> None:
    data, _ = rollouts(env_id="Endless-v0", env_options={"resets": 1}, num_envs=1, whole_episodes=True)
    with pytest.raises(UserError, match=r"Endless-v0 failed in reset\(\) \(KeyError: 'start'\)"):
        data.collect()


@pytest.mark.parametrize("name", ["num_steps", "passes", "rollouts", "num_envs", "max_steps", "batch_size"])
def test_nothing_to_do_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"data.{name} is 0"):
        Rollouts(**{name: 0})  # type: ignore[arg-type]
