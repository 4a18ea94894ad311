"""PPO: its objective's special cases, time limits, and resuming."""

from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.rl.rollouts import Rollout
from lit_models.rl.ppo import LitPPO


def rollout(terminated: bool) -> Rollout:
    """Two steps of an environment; the second ends the episode."""
    ends = torch.tensor([[False], [True]])
    return Rollout(
        torch.randn(3, 1, 4),
        torch.tensor([[0], [1]]),
        torch.ones(2, 1),
        ends & terminated,
        ends,
        torch.ones(2, 1, dtype=torch.bool),
        torch.tensor([[float("nan")], [2.0]]),
    )


@pytest.mark.parametrize("lam", [0.0, 0.9])
def test_truncation_is_not_termination(lam: float) -> None:
    torch.manual_seed(0)
    agent, cut, ended = LitPPO(gamma=0.5, lam=lam), rollout(False), rollout(True)
    after = float(agent.net.value(cut.observation[2]))
    with torch.no_grad():
        assert float(agent.rows(cut)[4][1]) == pytest.approx(1 + 0.5 * after, abs=1e-6)
        assert float(agent.rows(ended)[4][1]) == 1.0


def test_the_ratio_is_one_before_a_step_so_that_a2c_is_ppos_first_gradient() -> None:
    torch.manual_seed(0)
    for continuous in (False, True):
        agent = LitPPO(continuous=continuous)
        action = torch.randn(16, 2) if continuous else torch.randint(2, (16,))
        observation = torch.randn(16, 4)
        before = agent.net.policy(observation).log_prob(action).detach()
        batch = (observation, action, before, torch.randn(16), torch.randn(16))
        grads = []
        for method in ("ppo", "a2c"):
            agent.method = method  # type: ignore[assignment]
            agent.zero_grad()
            agent.loss(batch).backward()
            grads.append([p.grad.clone() for p in agent.parameters() if p.grad is not None])
        assert len(grads[0]) == len(list(agent.parameters()))
        torch.testing.assert_close(grads[0], grads[1])


def test_a_ratio_beyond_the_clip_has_no_gradient_unless_it_is_the_worse() -> None:
    torch.manual_seed(0)
    agent = LitPPO(value_coef=0.0)
    observation, action = torch.randn(2, 4), torch.tensor([0, 1])
    before = agent.net.policy(observation).log_prob(action).detach() - 1.0  # the ratio is e
    agent.loss((observation[:1], action[:1], before[:1], torch.ones(1), torch.zeros(1))).backward()
    grad = agent.net.actor[-1].bias.grad
    assert grad is not None and not bool(grad.any())
    agent.loss((observation[1:], action[1:], before[1:], -torch.ones(1), torch.zeros(1))).backward()
    assert bool(grad.any())


def test_a_less_certain_policy_has_the_lower_loss() -> None:
    agent = LitPPO(value_coef=0.0, entropy_coef=0.5)
    observation = torch.randn(4, 4)
    loss = agent.loss((observation, torch.zeros(4), torch.zeros(4), torch.zeros(4), torch.zeros(4)))
    torch.testing.assert_close(loss, -0.5 * agent.net.policy(observation).entropy().mean())


@pytest.mark.parametrize("arguments", [{"method": "trpo"}, {"gamma": 1.5}, {"lam": -0.1}, {"clip": 0.0}])
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"model.{next(iter(arguments))}"):
        LitPPO(**arguments)
