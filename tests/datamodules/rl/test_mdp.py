"""Transition tables as arrays."""

from pathlib import Path
from typing import Any

import gymnasium
import pytest
import torch

from common.messages import UserError
from datamodules.rl.mdp import TabularMDP, arrays, grid_of, known_returns, transition_table
from datamodules.rl.tabular_environments import TabularEnvironments, first_state_probabilities


def broken() -> gymnasium.Env:
    raise KeyError("mass")


if "Broken-v0" not in gymnasium.registry:
    gymnasium.register("Broken-v0", broken)


@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v4"])
def test_probabilities_sum_to_one_but_for_the_end_of_an_episode(env_id: str) -> None:
    table = transition_table(env_id)
    p, r = arrays(table)
    ends = torch.tensor([[sum(o[0] for o in table[s][a] if o[3]) for a in table[s]] for s in table])
    torch.testing.assert_close(p.sum(2) + ends.double(), torch.ones_like(r))


def test_a_step_of_the_environment_is_in_the_table() -> None:
    env = gymnasium.make("CliffWalking-v1")
    state, _ = env.reset(seed=0)
    p, r = arrays(transition_table("CliffWalking-v1"))
    for action in (0, 1, 1, 2, 3, 0):
        after, reward, ended, *_ = env.step(action)
        assert r[state, action] == float(reward)
        assert ended or p[state, action, after] == 1
        state = after


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"env_id": "FrozenLak-v1"}, "did you mean 'FrozenLake-v1'"),
        ({"env_id": "CartPole-v1"}, "no transition table"),
        ({"env_id": "Taxi-v4", "num_states": 16}, "has 500"),
        ({"sweeps": 0}, "data.sweeps"),
        ({"env_options": {"map": "4x4"}}, "cannot be made .*: see data.env_options"),
        ({"env_id": "no_module_of_this_name:Mine-v0"}, "cannot be made .No module named"),
        ({"env_id": "Broken-v0"}, r"Broken-v0 failed to be made \(KeyError: 'mass'\): correct the environment"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as raised:
        TabularMDP(**arguments)
    assert "\n" not in str(raised.value)


def test_sizes_come_from_the_environment(tmp_path: Path) -> None:
    assert TabularMDP.infer(0, 0, "Taxi-v4", None) == {"num_states": 500, "num_actions": 6}
    data = TabularMDP(env_id="CliffWalking-v1")
    assert (data.num_states, data.num_actions, data.grid) == (48, 4, (4, 12))
    assert grid_of("Taxi-v4", 500) is None


def test_known_returns_of_the_lake_are_the_published_ones_and_those_of_episodes() -> None:
    """gymnasium calls the lake solved at .70; the best policy without a limit arrives in 14 of 17 episodes (.8235)."""
    table = transition_table("FrozenLake-v1")
    start = first_state_probabilities("FrozenLake-v1", None, 16)
    best, random = known_returns(table, start, 100)
    assert 0.7 < best < 14 / 17 and known_returns(table, start, 5000)[0] == pytest.approx(14 / 17, abs=1e-6)
    lake = TabularEnvironments(table, start, 4000, 100, 0)
    returns = torch.full((4000,), float("nan")).double()
    torch.manual_seed(0)
    while bool(returns.isnan().any()):
        returns = torch.where(returns.isnan(), lake.step(torch.randint(4, (4000,)))[3], returns)
    assert float(returns.mean()) == pytest.approx(random, abs=4 * (random / 4000) ** 0.5)
    cliff = transition_table("CliffWalking-v1")
    assert known_returns(cliff, first_state_probabilities("CliffWalking-v1", None, 48), 200)[0] == -13
