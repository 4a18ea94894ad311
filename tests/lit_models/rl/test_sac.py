"""SAC: its density, its targets, whose weights each loss moves, and its slow copies."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.rl.sac import LitSAC, SoftActorCritic


def agent(**arguments: Any) -> LitSAC:
    torch.manual_seed(0)
    model = LitSAC(num_features=3, num_actions=2, hidden_size=8, **arguments)
    for p in model.net.critics.parameters():
        p.data += 0.1 * torch.randn_like(p)  # other critics than their slow copies
    return model


def batch(size: int = 6) -> tuple[Tensor, ...]:
    discount = torch.tensor([0.9, 0.0] * (size // 2))
    action = torch.rand(size, 2) * 2 - 1
    return torch.randn(size, 3), action, torch.randn(size), torch.randn(size, 3), discount, torch.ones(size)


def test_the_density_of_an_action_integrates_to_one() -> None:
    torch.manual_seed(3)
    net, observation = SoftActorCritic(3, 1, 8), torch.randn(1, 3)
    net.actor[-1].bias.data.copy_(torch.tensor([0.4, -0.3]))
    action, log_density = net.draw(observation.expand(100_000, 3))
    action, log_density = action.detach()[:, 0], log_density.detach()
    edges = torch.linspace(-1, 1, 41)
    found = torch.histogram(action, edges).hist / len(action) / (edges[1] - edges[0])
    middle = (edges[1:] + edges[:-1]) / 2
    order = action.argsort()
    at = torch.searchsorted(action[order], middle)
    expected = log_density[order][at].exp()
    torch.testing.assert_close(found[2:-2], expected[2:-2], atol=0.03, rtol=0.08)
    assert float((expected * (edges[1] - edges[0])).sum()) == pytest.approx(1, abs=0.01)


def test_the_target_is_the_smaller_slow_value_plus_the_entropy_and_nothing_after_an_end() -> None:
    model, rows = agent(), batch()
    observation, action, reward, reached, discount, _ = rows
    torch.manual_seed(5)
    model.losses(rows)
    torch.manual_seed(5)
    model.net.draw(observation)  # the actor's draw comes first
    after, log_prob = model.net.draw(reached)
    slow = torch.func.functional_call(model.net.critics, model.slow(), (reached, after)).amin(0)
    target = reward + discount * (slow - log_prob)
    expected = (model.net.critics(observation, action) - target).abs().mean(0)
    assert model.errors is not None
    torch.testing.assert_close(model.errors, expected.detach())
    assert bool((discount == 0).any()) and not torch.allclose(slow, model.net.critics(reached, after).amin(0))


def test_each_loss_moves_its_own_weights_alone() -> None:
    model = agent()
    parts = {"critics": model.net.critics, "actor": model.net.actor}
    for k, name in enumerate(("critics", "actor", "temperature")):
        model.zero_grad()
        model.losses(batch())[k].backward()
        moved = {part for part, module in parts.items() if any(p.grad is not None for p in module.parameters())}
        moved |= {"temperature"} if model.net.log_alpha.grad is not None else set()
        assert moved == {name}


def test_the_temperature_rises_where_the_entropy_is_too_low() -> None:
    for log_std, sign in ((-5.0, -1), (0.0, 1)):  # a policy that knows what it wants, and one that does not
        model = agent()
        model.net.actor[-1].weight.data.zero_()
        model.net.actor[-1].bias.data.copy_(torch.tensor([0.0, 0.0, log_std, log_std]))
        model.losses(batch(200))[2].backward()
        assert model.net.log_alpha.grad is not None
        assert math.copysign(1, float(model.net.log_alpha.grad)) == sign  # the step goes against the gradient


def test_the_slow_copies_take_over_a_share() -> None:
    model = agent(tau=0.25)
    before = {name: value.clone() for name, value in model.slow().items()}
    model.follow()
    for name, weight in model.net.critics.named_parameters():
        torch.testing.assert_close(model.slow()[name], 0.75 * before[name] + 0.25 * weight)


def test_a_fixed_temperature_stays_and_rewards_are_scaled_in_the_target_alone() -> None:
    model, rows = agent(temperature=0.2), batch()
    model.losses(rows)[0].backward()
    assert model.net.log_alpha.grad is None and float(model.net.log_alpha.exp()) == pytest.approx(0.2)
    scaled, (observation, action, reward, *rest) = agent(temperature=0.2, reward_scale=0.5), rows
    for other, given in ((model, (observation, action, reward / 2, *rest)), (scaled, rows)):
        torch.manual_seed(1)
        other.losses(given)
    assert model.errors is not None and scaled.errors is not None
    torch.testing.assert_close(model.errors, scaled.errors)


def test_greedy_actions_are_the_means_and_within_the_limits() -> None:
    model, x = agent(), 10 * torch.randn(5, 3)
    assert torch.equal(model.act(x, greedy=True), model.net(x))
    assert float(model.act(x).detach().abs().max()) <= 1


@pytest.mark.parametrize("arguments", [{"gamma": 2.0}, {"tau": -0.1}, {"temperature": 0.0}, {"reward_scale": -1.0}])
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"model.{next(iter(arguments))}"):
        LitSAC(**arguments)


def test_the_actor_is_paid_for_the_smaller_value_and_for_its_entropy() -> None:
    model, rows = agent(temperature=0.7), batch()
    torch.manual_seed(5)
    found = model.losses(rows)[1]
    torch.manual_seed(5)
    action, log_prob = model.net.draw(rows[0])
    values = model.net.critics(rows[0], action).amin(0)
    torch.testing.assert_close(found, (0.7 * log_prob - values).mean())
    assert not torch.allclose(values, model.net.critics(rows[0], action).amax(0))


def test_rows_count_by_their_weight_in_the_critics_loss() -> None:
    model, (*rows, _) = agent(), batch()
    weight = torch.tensor([1.0, 0, 2, 0, 0, 0])
    torch.manual_seed(5)
    model.losses((*rows, torch.ones(6)))
    each = model.net.critics(rows[0], rows[1])
    torch.manual_seed(5)
    found = model.losses((*rows, weight))[0]
    torch.manual_seed(5)
    model.net.draw(rows[0])
    after, log_prob = model.net.draw(rows[3])
    target = (rows[2] + rows[4] * (model.smaller(model.slow(), rows[3], after) - log_prob)).detach()
    torch.testing.assert_close(found, ((each - target).square() * weight).sum() / 6 / 2)


def test_each_training_step_moves_the_slow_copies() -> None:
    model = agent(tau=0.5)
    model.record_train_loss = lambda *args: None  # type: ignore[method-assign]
    before = {name: value.clone() for name, value in model.slow().items()}
    model.training_step(batch(), 0)
    assert not any(torch.equal(value, before[name]) for name, value in model.slow().items())


def test_the_deviation_of_the_policy_has_limits() -> None:
    net = SoftActorCritic(3, 1, 8)
    net.actor[-1].weight.data.zero_()
    net.actor[-1].bias.data.copy_(torch.tensor([0.0, 9.0]))
    torch.manual_seed(0)
    action = net.draw(torch.zeros(50, 3))[0]
    torch.manual_seed(0)
    torch.testing.assert_close(action.detach(), (math.exp(2) * torch.randn(50, 1)).tanh())
