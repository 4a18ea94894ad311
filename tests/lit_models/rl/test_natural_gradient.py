"""The natural gradient: the Fisher matrix written out, the length of a step, and what it does not depend on."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import kl_divergence

from common.messages import UserError
from datamodules.rl.rollouts import Rollouts
from lit_models.rl import natural_gradient
from lit_models.rl.natural_gradient import LitNaturalGradient, conjugate_gradient, detached
from lit_models.rl.ppo import policy_of


def agent(continuous: bool = False, **arguments: Any) -> LitNaturalGradient:
    torch.manual_seed(0)
    model = LitNaturalGradient(num_features=3, num_actions=2, continuous=continuous, hidden_size=3, **arguments)
    model.net.body[-1].weight.data *= 50
    model.record_train_loss = lambda loss, rows: None  # type: ignore[method-assign,assignment]
    return model.double()


def step(model: LitNaturalGradient, *rows: Tensor) -> Tensor:
    """The step (P,) that SGD with rate 1 takes on a batch."""
    model.zero_grad()
    model.training_step(rows, 0).backward()
    found = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return -model.natural_step(found, rows[0])


def rows(continuous: bool = False, size: int = 40) -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    action = torch.randn(size, 2).double() if continuous else torch.randint(2, (size,))
    return torch.randn(size, 3).double(), action, torch.randn(size).double()


def test_conjugate_gradients_solve_a_linear_system() -> None:
    torch.manual_seed(0)
    a = torch.randn(6, 6).double()
    a, b = a @ a.T + torch.eye(6).double(), torch.randn(6).double()
    torch.testing.assert_close(conjugate_gradient(lambda v: a @ v, b, 6, 0.0), torch.linalg.solve(a, b))
    assert not torch.allclose(conjugate_gradient(lambda v: a @ v, b, 2, 0.0), torch.linalg.solve(a, b), rtol=1e-3)


def gradient(value: Tensor, weights: list[Tensor]) -> Tensor:
    """Of a value () by all weights, (P,)."""
    parts = torch.autograd.grad(value, weights, retain_graph=True, allow_unused=True)
    filled = [torch.zeros_like(p) if part is None else part for p, part in zip(weights, parts, strict=True)]
    return torch.cat([part.flatten() for part in filled])


@pytest.mark.parametrize("continuous", [False, True])
def test_the_fisher_product_is_that_of_the_matrix_written_out(continuous: bool) -> None:
    """F is the mean of grad log pi times itself, over states and over the policy's own actions: of two as a sum, of a
    normal one in closed form (1 / variance for the mean, 2 for the logarithm of the deviation).
    """
    model, observation = agent(continuous), rows()[0][:4]
    weights: list[Tensor] = list(model.net.parameters())
    fisher = torch.zeros((size := sum(p.numel() for p in weights)), size).double()
    for x in observation:
        if model.net.log_std is None:
            log_prob = model.net.policy(x.expand(2, 3)).log_prob(torch.arange(2))
            slopes = [(p.exp().detach(), gradient(p, weights)) for p in log_prob]
        else:
            precision = model.net.log_std.detach().exp() ** -2
            slopes = [(p, gradient(m, weights)) for p, m in zip(precision, model.net.body(x), strict=True)]
            slopes += [(torch.tensor(2.0), gradient(s, weights)) for s in model.net.log_std]
        fisher += sum(weight * torch.outer(slope, slope) for weight, slope in slopes) / len(observation)
    v = torch.randn(size).double()
    torch.testing.assert_close(model.fisher_product(observation, v), fisher @ v, rtol=1e-5, atol=1e-7)


def test_a_step_has_the_divergence_that_was_asked_for() -> None:
    """Less the part of the damping, and but for terms of third order."""
    for wanted in (1e-3, 1e-4):
        model, (observation, action, advantage) = agent(step_kl=wanted), rows()
        before = detached(model.net.policy(observation))
        moved = step(model, observation, action, advantage)
        for p, part in zip(model.parameters(), moved.split([p.numel() for p in model.parameters()]), strict=True):
            p.data += part.view_as(p)
        along, length = float(moved @ model.fisher_product(observation, moved)), float(moved @ moved)
        expected = wanted * along / (along + model.damping * length)
        found = float(kl_divergence(before, model.net.policy(observation)).mean().detach())
        assert found == pytest.approx(expected, rel=3 * wanted**0.5) and found > wanted / 2


class Scaled(nn.Module):
    """A linear policy whose weights count in other units."""

    def __init__(self, unit: Tensor) -> None:
        super().__init__()
        self.weight, self.unit, self.log_std = nn.Parameter(torch.zeros(2, 3).double()), unit, None

    def forward(self, x: Tensor) -> Tensor:
        return x @ (self.weight * self.unit).T

    def policy(self, x: Tensor) -> Any:
        return policy_of(self(x), None)


def test_the_step_in_distributions_does_not_depend_on_the_units_of_the_weights_as_the_plain_one_does() -> None:
    found = []
    for unit in (torch.ones(3), torch.tensor([1.0, 5.0, 0.2])):
        model = agent(damping=1e-12, cg_steps=200)
        model.net = Scaled(unit.double())  # type: ignore[assignment]
        moved = step(model, *rows()).view(2, 3)
        model.zero_grad()
        model.training_step(rows(), 0).backward()
        plain = -model.net.weight.grad  # type: ignore[union-attr,operator]
        found.append((moved * unit, plain * unit))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-5, atol=1e-8)
    assert not torch.allclose(found[0][1], found[1][1], rtol=0.5)


def test_advantages_are_returns_to_go_minus_the_mean_of_the_episodes_that_last_as_long() -> None:
    class Seen:
        observation, action = torch.zeros(4, 2, 3), torch.zeros(3, 2, dtype=torch.long)
        reward = torch.tensor([[1.0, 1.0], [1.0, 1.0], [9.0, 1.0]])
        valid = torch.tensor([[True, True], [True, True], [False, True]])
        returns = torch.tensor([2.0, 3.0])

    advantage = agent(gamma=0.5).rows(Seen)[2]
    to_go = torch.tensor([[1.5, 1.75], [1.0, 1.5], [0.0, 1.0]])
    mean = torch.tensor([[1.625], [1.25], [1.0]])
    torch.testing.assert_close(advantage, (to_go - mean)[Seen.valid])


def test_equal_episodes_have_no_advantage() -> None:
    """Else the rounding of their mean would be scaled up to a whole step."""

    class Seen:
        observation, action = torch.zeros(201, 7, 3), torch.zeros(200, 7, dtype=torch.long)
        reward, valid = torch.full((200, 7), 0.1), torch.ones(200, 7, dtype=torch.bool)
        returns = torch.full((7,), 20.0)

    assert not agent(gamma=0.99).rows(Seen)[2].any()


def test_rollouts_of_parts_of_episodes_are_refused() -> None:
    """Returns would be summed over the ends of episodes."""
    parts, whole = Rollouts(), Rollouts(whole_episodes=True)
    parts.trainer = whole.trainer = type("T", (), {"lightning_module": LitNaturalGradient()})()  # type: ignore[assignment]
    with pytest.raises(UserError, match=r"LitNaturalGradient learns from whole.*--data.whole_episodes true"):
        parts.setup("fit")
    parts.setup("test")
    whole.setup("fit")


@pytest.mark.parametrize("arguments", [{"gamma": 2.0}, {"step_kl": 0.0}, {"cg_steps": 0}, {"fisher_rows": 0}])
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"model.{next(iter(arguments))}"):
        LitNaturalGradient(**arguments)


def test_a_step_makes_actions_with_a_positive_advantage_more_probable() -> None:
    model, (observation, action, _) = agent(), rows()
    advantage = torch.where(action == 1, 1.0, -1.0).double()
    moved = step(model, observation, action, advantage)
    before = model.net.policy(observation).probs[:, 1].mean()  # type: ignore[attr-defined]
    for p, part in zip(model.parameters(), moved.split([p.numel() for p in model.parameters()]), strict=True):
        p.data += part.view_as(p)
    after = model.net.policy(observation).probs[:, 1].mean()  # type: ignore[attr-defined]
    assert float((after - before).detach()) > 0.02


def test_processes_say_how_many_steps_their_episodes_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the gradient is that of the mean over the steps of all, and not of the means of the processes."""
    model, counts = agent(), []
    model.record_train_loss = lambda loss, count: counts.append(count)  # type: ignore[method-assign,assignment]
    model.training_step(rows(), 0)
    monkeypatch.setattr(natural_gradient, "rank_and_world", lambda _: (1, 2))
    model.training_step(rows(size=7), 0)
    assert counts[0] == 40 and isinstance(counts[1], Tensor) and int(counts[1]) == 7
