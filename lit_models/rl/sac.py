"""Soft actor-critic: a policy that is paid for being random, learned from replay; two critics and their slow copies.

Haarnoja et al. 2018, "Soft actor-critic: off-policy maximum entropy deep reinforcement learning with a stochastic
actor", and "Soft actor-critic algorithms and applications" (the temperature that is learned). Not in D2L. The objective
is the return plus alpha times the policy's entropy, so that exploration is part of what is maximized:

    critic    Q(s, a) -> r + gamma (min Q'(s', a') - alpha log pi(a'|s'))     a' drawn, Q' the slow copies
    actor     alpha log pi(a|s) - min Q(s, a)                                 through the drawn action
    alpha     grows where the entropy is below its target, minus the number of actions

Departs from the paper: one optimizer takes the three steps at the same weights, where published codes step the critics
first (the gradients of each loss reach only its own weights); the correction for tanh is exact and not log(1 - a^2 +
1e-6).

    dive fit rl/sac                                                       Pendulum swings up
    dive fit rl/sac --data.env_id MountainCarContinuous-v0
    dive fit rl/sac --model.temperature 0.2                               a fixed temperature
    dive play rl/sac

The numbers it reaches are in RESULTS.md.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional as F

from common.messages import UserError
from lit_models.rl.agent import Agent
from lit_models.tasks.trains import trains

LOG_STD = (-20.0, 2.0)  # limits of the policy's log standard deviation, of the authors' code


def relu_network(inputs: int, hidden_size: int, outputs: int) -> nn.Sequential:
    """Two hidden layers."""
    hidden = [nn.Linear(inputs, hidden_size), nn.ReLU(), nn.Linear(hidden_size, hidden_size), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(hidden_size, outputs))


class TwinCritics(nn.Module):
    """Two functions of observation (B, F) and action (B, A) -> (2, B). The smaller one is used: a maximum over errors
    is too high (Fujimoto et al. 2018).

    Args:
        num_features, num_actions: F and A.
        hidden_size: Units of each of two hidden layers.
    """

    def __init__(self, num_features: int, num_actions: int, hidden_size: int) -> None:
        super().__init__()
        inputs = num_features + num_actions
        self.each = nn.ModuleList(relu_network(inputs, hidden_size, 1) for _ in range(2))

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        rows = torch.cat([observation, action.to(observation)], 1)
        return torch.stack([critic(rows)[:, 0] for critic in self.each]).float()


class SoftActorCritic(nn.Module):
    """A policy, two critics and the temperature. Observations (B, F) -> the best actions (B, A) from -1 to 1.

    Args:
        num_features: F.
        num_actions: A.
        hidden_size: Units of each of two hidden layers.
    """

    def __init__(self, num_features: int = 3, num_actions: int = 1, hidden_size: int = 128) -> None:
        super().__init__()
        self.actor = relu_network(num_features, hidden_size, 2 * num_actions)
        self.critics = TwinCritics(num_features, num_actions, hidden_size)
        self.log_alpha = nn.Parameter(torch.zeros(()))

    def forward(self, observation: Tensor) -> Tensor:
        return self.actor(observation).chunk(2, 1)[0].tanh()

    def draw(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Actions (B, A) of the policy and the logarithm of their density (B,); gradients go through the draw.

        An action is tanh(u) of a normal u: its density is that of u divided by the slope, 1 - tanh(u)^2, here written
        so that it does not vanish in float32 (the papers, appendix C).
        """
        mean, log_std = self.actor(observation).float().chunk(2, 1)
        normal = Normal(mean, log_std.clamp(*LOG_STD).exp(), validate_args=False)
        u = normal.rsample()
        log_slope = 2 * (math.log(2) - u - F.softplus(-2 * u))
        return u.tanh(), (normal.log_prob(u) - log_slope).sum(1)


@trains(SoftActorCritic)
class LitSAC(Agent):
    """SAC as a task: a batch is (observation, action, n-step reward, observation after it, discount, weight), (B, ...).

    Args:
        continuous: Of the environment's actions: only continuous ones are possible.
        gamma: The discount.
        tau: The share of the critics that their slow copies take over in a step.
        temperature: A fixed alpha; none given: learned.
        target_entropy: That the temperature aims at, in nats; none given: minus the number of actions.
        reward_scale: Factor of the rewards in the critics' targets; returns are logged without it.
        **task: See ``Task``.

    Raises:
        UserError: A number outside of its range.
    """

    output_means = "the mean of each continuous action, from -1 to 1"
    takes = ("Box",)
    net: SoftActorCritic

    def __init__(
        self,
        continuous: bool = True,
        gamma: float = 0.99,
        tau: float = 0.005,
        temperature: float | None = None,
        target_entropy: float | None = None,
        reward_scale: float = 1.0,
        **task: Any,
    ) -> None:
        for name, value in {"gamma": gamma, "tau": tau}.items():
            if not 0 <= value <= 1:
                raise UserError(f"model.{name} is {value}: give a number from 0 to 1")
        for name, factor in {"temperature": temperature, "reward_scale": reward_scale}.items():
            if factor is not None and not 0 < factor < math.inf:
                raise UserError(f"model.{name} is {factor}: give a number greater than 0")
        super().__init__(**task)
        self.gamma, self.tau, self.reward_scale = gamma, tau, reward_scale
        self.errors: Tensor | None = None  # of the last batch (B,), for prioritized replay
        if temperature is not None:
            self.net.log_alpha.data.fill_(math.log(temperature))
            self.net.log_alpha.requires_grad_(False)
        actions: int = self.net.actor[-1].out_features // 2  # type: ignore[union-attr,operator,assignment]
        self.target_entropy = -float(actions) if target_entropy is None else target_entropy
        for name, weight in self.net.critics.named_parameters():
            self.register_buffer(f"target_{name.replace('.', '_')}", weight.detach().clone())

    def act(self, observation: Tensor, greedy: bool = False) -> Tensor:
        """Actions (N, A) for observations (N, F): drawn from the policy, or its means."""
        return self.net(observation) if greedy else self.net.draw(observation)[0]

    def slow(self) -> dict[str, Tensor]:
        """The critics' slow copies, by the names of their weights."""
        return {
            name: getattr(self, f"target_{name.replace('.', '_')}") for name, _ in self.net.critics.named_parameters()
        }

    def smaller(self, weights: dict[str, Tensor], observation: Tensor, action: Tensor) -> Tensor:
        """The smaller value (B,) of two critics with these weights."""
        return torch.func.functional_call(self.net.critics, weights, (observation, action)).amin(0)

    @torch.no_grad()
    def follow(self) -> None:
        """Moves the slow copies a step toward the critics."""
        torch._foreach_lerp_(list(self.slow().values()), list(self.net.critics.parameters()), self.tau)

    def losses(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Of the critics, the actor and the temperature, (): the gradient of each reaches its own weights alone."""
        observation, action, reward, reached, discount, weight = batch
        alpha, drawn_and_density = self.net.log_alpha.detach().exp(), self.net.draw(observation)
        with torch.no_grad():
            after, log_prob = self.net.draw(reached)
            target = self.smaller(self.slow(), reached, after) - alpha * log_prob
            target = self.reward_scale * reward + discount * target
        difference = self.net.critics(observation, action) - target
        self.errors = difference.detach().abs().mean(0)
        critics = (weight * difference.square()).mean(1).sum() / 2

        drawn, log_prob = drawn_and_density
        fixed = {name: value.detach() for name, value in self.net.critics.named_parameters()}
        actor = (alpha * log_prob - self.smaller(fixed, observation, drawn)).mean()
        temperature = -(self.net.log_alpha * (log_prob.detach() + self.target_entropy)).mean()
        return critics, actor, temperature

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        self.follow()  # after the step before
        critics, actor, temperature = self.losses(batch)
        self.record_train_loss(critics, len(batch[0]))
        return critics + actor + temperature

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        self.log("train/alpha", self.net.log_alpha.detach().exp().double(), sync_dist=True)
