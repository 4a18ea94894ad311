"""Dyna-Q: planning with a learned model reaches the exact values, from fewer real steps; Dyna-Q+ tries what is old."""

import pytest
import torch

from common.messages import UserError
from datamodules.rl.mdp import arrays, small_gridworld
from datamodules.rl.tabular_environments import ToyText
from lit_models.rl.control import LitControl
from lit_models.rl.dyna import LearnedModels
from lit_models.rl.planning import action_values, optimal_values


def seen_all() -> LearnedModels:
    """Each action of the small gridworld, which is deterministic, was taken once by one player."""
    models = LearnedModels(1, 16, 4)
    for state, choices in small_gridworld().items():
        for action, [(_, reached, reward, ends)] in choices.items():
            parts = (torch.tensor([x]) for x in (state, action, reward, reached, ends))
            models.learn(*parts)
    return models


def test_planning_alone_reaches_the_values_of_a_linear_solve() -> None:
    torch.manual_seed(0)
    q = seen_all().plan(torch.zeros(1, 16, 4, dtype=torch.float64), 3000, 1.0, 0.9, 0.0)
    p, r = arrays(small_gridworld())
    exact = action_values(p, r, optimal_values(p, r, 0.9), 0.9)
    inside = slice(1, 15)  # the corners end the episode
    torch.testing.assert_close(q[0, inside], exact[inside], atol=1e-9, rtol=0)


def test_what_was_never_seen_is_not_planned_without_a_bonus() -> None:
    torch.manual_seed(0)
    models = LearnedModels(1, 3, 2)
    models.learn(*(torch.tensor([x]) for x in (1, 0, -1.0, 2, True)))
    q = models.plan(torch.full((1, 3, 2), 5.0, dtype=torch.float64), 50, 0.5, 1.0, 0.0)
    assert q[0].flatten().tolist() == pytest.approx([5, 5, -1, 5, 5, 5], abs=1e-9)


def test_an_action_that_was_not_taken_for_long_is_worth_a_bonus() -> None:
    torch.manual_seed(0)
    models = LearnedModels(1, 2, 2)
    for action in (0, *[1] * 99):
        models.learn(*(torch.tensor([x]) for x in (0, action, 0.0, 1, True)))
    q = models.plan(torch.zeros(1, 2, 2, dtype=torch.float64), 300, 0.5, 1.0, 0.1)
    assert q[0, 0].tolist() == pytest.approx([0.1 * 100**0.5, 0.1], abs=1e-6)
    assert not bool(q[0, 1].any())  # nothing was ever taken there


@pytest.mark.slow
def test_planning_needs_fewer_real_steps() -> None:
    """Returns of greedy episodes after 600 steps of each player on the cliff; the best is -13."""
    found = []
    for planning in (0, 20):
        torch.manual_seed(0)
        data, player = ToyText(num_runs=6), LitControl(num_runs=6, planning_steps=planning)
        data.act = player.act  # type: ignore[method-assign]
        with torch.no_grad():
            for _ in range(600):
                for row in zip(*data.collect(), strict=True):
                    player.net.values.data = player.updated(player.net.values.data, row)
            found.append(float(data.episodes()[0].mean()))
    assert found[0] < -100 and found[1] > -50


def test_planning_is_q_learnings() -> None:
    with pytest.raises(UserError, match=r"model\.planning_steps is 5"):
        LitControl(method="sarsa", planning_steps=5)
