"""Linear SARSA(lambda): its updates, and what it refuses."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.rl.linear_sarsa import LitLinearSarsa


def row(terminated: bool, over: bool, valid: bool = True) -> tuple[Tensor, ...]:
    """One environment: from the valley, action 2, reward -1."""
    flags = [torch.tensor([value]) for value in (terminated, over, valid)]
    observation, reached = torch.tensor([[-0.5, 0.0]]), torch.tensor([[0.4, 0.05]])
    return observation, torch.tensor([2]), torch.tensor([-1.0]), reached, torch.tensor([1]), *flags


def value(agent: LitLinearSarsa, weights: Tensor) -> float:
    return float(weights[agent.net.coding(torch.tensor([-0.5, 0.0])), 2].sum())


def test_truncation_is_not_termination_and_a_reset_teaches_nothing() -> None:
    agent = LitLinearSarsa(num_envs=1, alpha=1.0, lam=0.0)
    weights = torch.zeros_like(agent.net.weights)
    weights[agent.net.coding(torch.tensor([0.4, 0.05])), 1] = 1.0  # a value of 8
    assert value(agent, agent.updated(weights, row(False, True))) == pytest.approx(7.0)
    assert value(agent, agent.updated(weights, row(True, True))) == pytest.approx(-1.0)
    assert torch.equal(agent.updated(weights, row(False, False, valid=False)), weights)


def test_environments_teach_by_the_mean_of_their_updates() -> None:
    found = []
    for count in (1, 3):
        agent = LitLinearSarsa(num_envs=count, alpha=1.0, lam=0.0)
        rows = tuple(torch.cat([part] * count) for part in row(True, True))
        found.append(value(agent, agent.updated(torch.zeros_like(agent.net.weights), rows)))
    assert found == pytest.approx([-1.0, -1.0])


def test_a_trace_decays_and_ends_with_its_episode() -> None:
    agent = LitLinearSarsa(num_envs=1, alpha=1.0, lam=0.5, gamma=0.8)
    agent.trace[0, 5, 0] = 1.0
    weights = agent.updated(torch.zeros_like(agent.net.weights), row(False, False))
    assert float(weights[5, 0]) == pytest.approx(-0.4 / 8)
    assert float(agent.trace[0, 5, 0]) == pytest.approx(0.4) and int((agent.trace == 1).sum()) == 8
    agent.updated(weights, row(True, True))
    assert not bool(agent.trace.any())


def test_new_episodes_after_a_resume_have_no_trace_of_the_old_ones() -> None:
    agent = LitLinearSarsa(num_envs=1)
    agent.updated(torch.zeros_like(agent.net.weights), row(False, False))
    assert bool(agent.trace.any())
    agent.forget_episodes()
    assert not bool(agent.trace.any())


def test_the_picture_has_minus_the_best_values_and_bairds_divergence() -> None:
    agent = LitLinearSarsa(num_envs=1)
    torch.nn.init.normal_(agent.net.weights)
    values, baird = agent.panels()
    first, line = values["lines"]["second feature 0"]
    torch.testing.assert_close(-line[7], agent.net(torch.stack([first[7], torch.zeros(())])[None]).max().detach())
    assert float(baird["lines"]["TD"][1][-1]) > 1000 > 20 > float(baird["lines"]["TDC"][1][-1])


def test_limits_of_another_environment_are_refused() -> None:
    with pytest.raises(UserError, match=r"model\.low has 2 numbers for 4 features"):
        LitLinearSarsa(num_features=4)
    with pytest.raises(UserError, match=r"model\.lam"):
        LitLinearSarsa(lam=1.5)


def test_traces_on_two_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lit_models.rl.linear_sarsa.rank_and_world", lambda _: (0, 2))
    with pytest.raises(UserError, match=r"model\.lam: the traces belong to one process"):
        LitLinearSarsa().on_fit_start()
    LitLinearSarsa(lam=0.0).on_fit_start()
