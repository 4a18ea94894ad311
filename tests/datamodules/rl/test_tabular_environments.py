"""Environments stepped together move as gymnasium's, and continue where they were saved."""

from pathlib import Path

import gymnasium
import pytest
import torch

from callbacks.ranks import interleave
from common.messages import UserError
from datamodules.rl.mdp import transition_table
from datamodules.rl.tabular_environments import TabularEnvironments, ToyText, first_state_probabilities


def make(env_id: str, count: int, max_steps: int = 50) -> TabularEnvironments:
    table = transition_table(env_id)
    return TabularEnvironments(table, first_state_probabilities(env_id, None, len(table)), count, max_steps, 0)


def test_they_move_as_the_environment_does() -> None:
    env, ours = gymnasium.make("CliffWalking-v1"), make("CliffWalking-v1", 1)
    state, _ = env.reset(seed=0)
    assert int(ours.state[0]) == state
    for action in (0, 0, 1, 1, 2, 2, 2, 3, 0, 1):
        state, reward, *_ = env.step(action)
        paid, reached, _, _ = ours.step(torch.tensor([action]))
        assert (int(reached[0]), float(paid[0])) == (state, float(reward))


def test_ice_slips_with_the_tables_probabilities() -> None:
    lake = make("FrozenLake-v1", 9000)
    reached = lake.step(torch.full((9000,), 2))[1]  # right: or down, or up, against the wall
    assert (reached.bincount(minlength=5)[[0, 1, 4]] / 9000).tolist() == pytest.approx([1 / 3] * 3, abs=0.02)


def test_a_time_limit_ends_an_episode_without_terminating_it() -> None:
    cliff = make("CliffWalking-v1", 2, max_steps=3)
    for k in range(3):
        _, reached, terminated, returns = cliff.step(torch.tensor([0, 3]))
        assert not bool(terminated.any()) and bool(returns.isnan().all()) == (k < 2)
    assert returns.tolist() == [-3.0, -3.0] and reached.tolist() == [0, 36] and cliff.state.tolist() == [36, 36]


def test_what_was_saved_continues_in_the_same_way() -> None:
    one, two = make("FrozenLake-v1", 20), make("FrozenLake-v1", 20)
    for _ in range(7):
        one.step(torch.full((20,), 1))
    two.load_state_dict(one.state_dict())
    for _ in range(20):
        for a, b in zip(one.step(torch.full((20,), 2)), two.step(torch.full((20,), 2)), strict=True):
            torch.testing.assert_close(a, b, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["num_runs", "max_steps", "num_steps", "batch_size"])
def test_nothing_to_do_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"data.{name} is 0"):
        ToyText(**{name: 0})


def test_a_reward_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(UserError, match="not a finite number"):
        TabularEnvironments({0: {0: [(1.0, 0, float("nan"), False)]}}, torch.ones(1), 2, 5, 0)


MINE = """import gymnasium
from gymnasium.envs.toy_text import FrozenLakeEnv

class Mine(FrozenLakeEnv):
    def __init__(self, starts=16):
        super().__init__()
        self.initial_state_distrib = [0.0] * (starts - 1) + [1.0]

gymnasium.register("Mine-v0", Mine)
"""


def test_a_persons_environment_begins_where_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module_of_mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    data = ToyText(env_id="module_of_mine:Mine-v0", num_runs=30)
    assert data.make(0).state.tolist() == [15] * 30
    assert first_state_probabilities("FrozenLake", None, 16).tolist() == [1.0] + [0.0] * 15  # of the newest version
    with pytest.raises(UserError, match="initial_state_distrib must have a probability for each of the 16 states"):
        ToyText(env_id="module_of_mine:Mine-v0", env_options={"starts": 3})


def lake(rank: int = 0) -> ToyText:
    data = ToyText(env_id="FrozenLake-v1", num_runs=5)
    data.act = lambda states, greedy=False: torch.full((5,), 2)  # type: ignore[method-assign,assignment]
    data.trainer = type("T", (), {"global_rank": rank, "world_size": 2})()  # type: ignore[assignment]
    return data


def test_validation_and_test_have_other_episodes_and_each_the_same_again() -> None:
    data = lake()
    val, test = (next(iter(loader()))[1] for loader in (data.val_dataloader, data.test_dataloader))
    assert torch.equal(val, data.episodes()[1]) and torch.equal(test, data.episodes(2)[1])
    assert not torch.equal(val, test)


def test_processes_predict_the_rows_of_one_process_in_turn() -> None:
    parts = [next(iter(lake(rank).predict_dataloader())) for rank in (0, 1)]
    assert all(torch.equal(interleave(rows), one) for *rows, one in zip(*parts, lake().episodes(3), strict=True))
