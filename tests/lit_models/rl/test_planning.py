"""Exact planning: values are those of a linear solve, and of the lectures."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.rl.mdp import TabularMDP, arrays, small_gridworld, student_chain, transition_table
from lit_models.rl.planning import LitPlanning, greedy, in_place_sweep, optimal_values, prioritized_sweep, solve
from tests.small import small_trainer


def plan(folder: Path, data: TabularMDP, steps: int, **model: Any) -> dict[str, float]:
    """Sweeps, then the metrics of a test."""
    net = LitPlanning(num_states=data.num_states, num_actions=data.num_actions, **model)
    net.optimizer = lambda parameters: torch.optim.SGD(parameters, lr=1.0)  # type: ignore[assignment]
    trainer = small_trainer(folder, max_steps=steps, max_epochs=-1)
    trainer.fit(net, datamodule=data)
    return trainer.test(net, datamodule=data, verbose=False)[0]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("env_id", "options", "method", "steps", "gamma"),
    [
        ("FrozenLake-v1", {}, "value_iteration", 500, 0.95),
        ("FrozenLake-v1", {"is_slippery": False}, "in_place", 30, 0.95),
        ("FrozenLake-v1", {"map_name": "8x8"}, "policy_iteration", 15, 0.99),
        ("FrozenLake-v1", {"map_name": "8x8", "is_slippery": False}, "prioritized", 30, 0.99),
        ("CliffWalking-v1", {}, "value_iteration", 20, 1.0),
        pytest.param("Taxi-v4", {}, "value_iteration", 30, 0.99, marks=pytest.mark.slow),  # 500 states; as the first
        ("SmallGridworld", {}, "policy_evaluation", 400, 1.0),
    ],
)
def test_sweeps_reach_the_linear_solve(
    env_id: str, options: dict[str, Any], method: Any, steps: int, gamma: float, tmp_path: Path
) -> None:
    data = TabularMDP(env_id=env_id, env_options=options, batch_size=1)
    assert plan(tmp_path, data, steps, method=method, gamma=gamma)["test/error"] < 1e-7
    if method != "prioritized":  # which needs no second sweep where nothing is random
        data = TabularMDP(env_id=env_id, env_options=options, batch_size=1)
        assert plan(tmp_path, data, 1, method=method, gamma=gamma)["test/error"] > 1e-3  # one sweep does not


def test_the_students_values_are_those_of_the_lecture() -> None:
    """Silver's lecture 2, slide 'State-value function for student MRP', gamma 1, printed with one or two digits."""
    p, r = arrays(student_chain())
    values = solve(p, r, torch.ones(7, 1, dtype=torch.float64), 1.0)
    printed = torch.tensor([-13, 1.5, 4.3, 10, 0.8, -23, 0], dtype=torch.float64)
    assert float((values - printed).abs().max()) < 0.5
    assert float((values - printed)[1:4].abs().max()) < 0.05


def test_the_random_policy_of_the_small_gridworld_has_the_lectures_values() -> None:
    """Lecture 3: 0, -14, -20, -22, exactly."""
    p, r = arrays(small_gridworld())
    values = solve(p, r, torch.full((16, 4), 0.25, dtype=torch.float64), 1.0)
    first_rows = torch.tensor([0, -14, -20, -22, -14, -18, -20, -20], dtype=torch.float64)
    torch.testing.assert_close(values[:8], first_rows, atol=1e-10, rtol=0)


def lake() -> tuple[Tensor, Tensor]:
    return arrays(transition_table("FrozenLake-v1"))


def test_a_policy_that_changes_to_the_greedy_one_is_at_least_as_good_everywhere() -> None:
    p, r = lake()
    random = solve(p, r, torch.full((16, 4), 0.25, dtype=torch.float64), 0.95)
    better = solve(p, r, greedy(p, r, random, 0.95), 0.95)
    assert bool((better >= random - 1e-12).all()) and float((better - random).max()) > 0.01


def test_new_values_used_at_once_come_closer_with_the_same_work() -> None:
    p, r = arrays(transition_table("FrozenLake-v1", {"is_slippery": False}))
    exact = optimal_values(p, r, 0.95)
    states = torch.arange(15, -1, -1)  # from the goal backwards
    in_place = in_place_sweep(p, r, torch.zeros(16, dtype=torch.float64), 0.95, states)
    prioritized = prioritized_sweep(p, r, torch.zeros(16, dtype=torch.float64), 0.95)
    synchronous = r.amax(1)
    for values in (in_place, prioritized):
        assert float((values - exact).abs().sum()) < float((synchronous - exact).abs().sum()) - 0.5


def test_an_episode_that_may_never_end_needs_a_discount() -> None:
    p, r = arrays(transition_table("CliffWalking-v1"))
    up = torch.nn.functional.one_hot(torch.zeros(48, dtype=torch.long), 4).double()
    with pytest.raises(UserError, match="gamma"):
        solve(p, r, up, 1.0)


@pytest.mark.parametrize("arguments", [{"gamma": 1.5}, {"method": "policy"}])
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"model.{next(iter(arguments))}"):
        LitPlanning(**arguments)
