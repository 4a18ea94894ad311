"""DQN: its targets, its networks, its exploration."""

from typing import Any

import pytest
import torch

from common.messages import UserError
from lit_models.rl.dqn import LitDQN, QNetwork


def batch(size: int = 6) -> tuple[torch.Tensor, ...]:
    discount = torch.tensor([0.9, 0.0] * (size // 2))
    action = torch.randint(2, (size,))
    return torch.randn(size, 4), action, torch.randn(size), torch.randn(size, 4), discount, torch.ones(size)


def test_double_chooses_by_the_network_and_evaluates_by_the_target() -> None:
    torch.manual_seed(0)
    observation, action, reward, reached, discount, weight = batch()
    for double in (True, False):
        agent = LitDQN(double=double, hidden_size=8)
        agent.net.advantage.weight.data *= -1  # another order of actions than the target's
        q, old = agent.net(reached), agent.target(reached)
        chosen = (q if double else old).argmax(1)
        target = reward + discount * old[torch.arange(6), chosen]
        expected = target - agent.net(observation)[torch.arange(6), action]
        agent.loss((observation, action, reward, reached, discount, weight))
        torch.testing.assert_close(agent.errors, expected.abs())


def test_the_target_changes_only_when_it_is_told_to() -> None:
    agent, x = LitDQN(hidden_size=8), torch.randn(3, 4)
    before = agent.target(x)
    for p in agent.net.parameters():
        p.data += 0.1
    assert torch.equal(agent.target(x), before) and not torch.equal(agent.net(x), before)
    agent.update_target()
    assert torch.equal(agent.target(x), agent.net(x))
    assert len(list(agent.parameters())) == len(list(agent.net.parameters()))  # the optimizer does not have the target


def test_the_target_is_copied_every_so_many_steps() -> None:
    class Counted(LitDQN):
        global_step = 0  # type: ignore[assignment]

    agent, x, copied = Counted(hidden_size=8, target_every=3), torch.randn(3, 4), []
    agent.record_train_loss = lambda loss, rows: None  # type: ignore[method-assign,assignment]
    for step in range(7):
        agent.global_step = step
        for p in agent.net.parameters():
            p.data += 0.1
        agent.training_step(batch(), step)
        copied.append(torch.equal(agent.target(x), agent.net(x)))
    assert copied == [True, False, False, True, False, False, True]


def test_advantages_of_a_dueling_network_have_the_mean_zero() -> None:
    net, x = QNetwork(4, 3, 8), torch.randn(5, 4)
    assert net.value is not None
    torch.testing.assert_close(net(x).mean(1, keepdim=True), net.value(net.body(x)))


def test_exploration_falls_with_the_frames() -> None:
    torch.manual_seed(0)
    agent, x = LitDQN(epsilon=(1.0, 0.0), epsilon_steps=100), torch.randn(1, 4).repeat(4000, 1)
    best = agent.act(x[:1], greedy=True)
    for frames, expected in ((0, 0.5), (50, 0.75), (1000, 1.0)):
        agent.frames.fill_(frames)
        assert float((agent.act(x) == best).double().mean()) == pytest.approx(expected, abs=0.03)


def test_weights_scale_what_a_row_adds() -> None:
    agent, (*rest, weight) = LitDQN(hidden_size=8), batch()
    half = agent.loss((*rest, weight / 2))
    torch.testing.assert_close(agent.loss((*rest, weight)), 2 * half)


@pytest.mark.parametrize("arguments", [{"gamma": 2.0}, {"epsilon": (1.0, -1.0)}, {"target_every": 0}])
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"model.{next(iter(arguments))}"):
        LitDQN(**arguments)
