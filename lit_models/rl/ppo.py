"""Policy gradient with a learned baseline: PPO, A2C and REINFORCE, for discrete and continuous actions.

Schulman et al. 2017, "Proximal policy optimization algorithms"; Mnih et al. 2016 (A2C); Williams 1992 (REINFORCE).
Silver's lecture 7; not in D2L. A2C is PPO with one pass over a rollout in one batch: the ratio is then 1, and the
clipped objective has the gradient of log pi times the advantage (Huang et al. 2022), so that ``a2c`` is that objective
by itself. REINFORCE with baseline is ``a2c`` over whole episodes with lambda 1.

Departs from the papers: actor and critic are separate networks; advantages are standardized per minibatch; a time limit
truncates an episode and does not terminate it, so that the value of the state that was reached still counts.

    dive fit rl/ppo                                                   CartPole balances to its limit of 500 steps
    dive fit rl/a2c                                                   one step for each short rollout
    dive fit rl/reinforce
    dive play rl/ppo                                                  an episode as a GIF and as a strip

The numbers it reaches are in RESULTS.md.
"""

from itertools import pairwise
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, Normal

from common.messages import UserError
from lit_models.rl.agent import Agent
from lit_models.rl.returns import gae
from lit_models.tasks.trains import trains

Method = Literal["ppo", "a2c"]


def perceptron(sizes: list[int], gain: float) -> nn.Sequential:
    """Linear layers with tanh between them, orthogonal weights; ``gain`` is the last layer's."""
    layers: list[nn.Module] = []
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        layer = nn.Linear(inputs, outputs)
        nn.init.orthogonal_(layer.weight, gain if k == len(sizes) - 2 else 2**0.5)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def policy_of(output: Tensor, log_std: Tensor | None) -> Distribution:
    """The distribution of the action: by logits (B, A), or normal with means (B, A) and these deviations (A,)."""
    if log_std is None:
        return Categorical(logits=output, validate_args=False)
    return Independent(Normal(output, log_std.exp().expand_as(output), validate_args=False), 1)


def most_probable(policy: Distribution) -> Tensor:
    """Its best actions (B,), or (B, A)."""
    return policy.probs.argmax(-1) if isinstance(policy, Categorical) else policy.mean


class ActorCritic(nn.Module):
    """A policy and a value function. Observations (B, F) -> logits of the actions, or means (B, A).

    Args:
        num_features: F.
        num_actions: A.
        continuous: Whether an action is a vector, from a normal distribution whose deviations are parameters.
        hidden_size: Units of each of two hidden layers.
    """

    def __init__(
        self, num_features: int = 4, num_actions: int = 2, continuous: bool = False, hidden_size: int = 64
    ) -> None:
        super().__init__()
        self.actor = perceptron([num_features, hidden_size, hidden_size, num_actions], 0.01)
        self.critic = perceptron([num_features, hidden_size, hidden_size, 1], 1.0)
        self.log_std = nn.Parameter(torch.zeros(num_actions)) if continuous else None

    def forward(self, observation: Tensor) -> Tensor:
        return self.actor(observation)

    def value(self, observation: Tensor) -> Tensor:
        """Values (...) of observations (..., F)."""
        return self.critic(observation)[..., 0]

    def policy(self, observation: Tensor) -> Distribution:
        """The distribution of the action."""
        return policy_of(self.actor(observation).float(), self.log_std)


@trains(ActorCritic)
class LitPPO(Agent):
    """PPO as a task: a batch is (observation, action, its log probability then, advantage, return), rows of a rollout.

    Args:
        method: ``ppo``, or ``a2c``, the objective without a ratio, for one pass over a rollout.
        gamma: The discount.
        lam: Lambda of the generalized advantages: 1 is the return minus the value.
        clip: How far the ratio may move from 1.
        value_coef: Weight of the values' squared error.
        entropy_coef: Weight of the policy's entropy.
        **task: See ``Task``.
    """

    output_means = "logits of the actions, or the mean of a continuous action from -1 to 1"
    takes = ("Discrete", "Box")
    net: ActorCritic

    def __init__(
        self,
        method: Method = "ppo",
        gamma: float = 0.99,
        lam: float = 0.95,
        clip: float = 0.2,
        value_coef: float = 0.5,
        entropy_coef: float = 0.0,
        **task: Any,
    ) -> None:
        if method not in get_args(Method):
            raise UserError(f"model.method is {method!r}: give {', '.join(get_args(Method))}")
        for name, value in {"gamma": gamma, "lam": lam}.items():
            if not 0 <= value <= 1:
                raise UserError(f"model.{name} is {value}: give a number from 0 to 1")
        if clip <= 0:
            raise UserError(f"model.clip is {clip}: give a number greater than 0")
        super().__init__(**task)
        self.method, self.gamma, self.lam, self.clip = method, gamma, lam, clip
        self.value_coef, self.entropy_coef = value_coef, entropy_coef

    def act(self, observation: Tensor, greedy: bool = False) -> Tensor:
        """Actions (N,), or (N, A), for observations (N, F): drawn from the policy, or its most probable ones."""
        policy = self.net.policy(observation)
        return most_probable(policy) if greedy else policy.sample()

    def rows(self, rollout: Any) -> tuple[Tensor, ...]:
        """Training rows of a rollout (``datamodules/rl/rollouts.py``): its transitions, with advantages and returns."""
        observation = rollout.observation.to(self.device, self.dtype)
        action, reward = rollout.action.to(self.device), rollout.reward.to(self.device)
        values = self.net.value(observation)
        going_on, same = (~rollout.terminated).to(values), (~rollout.over).to(values)
        advantage = gae(reward, values[:-1], values[1:], going_on, same, self.gamma, self.lam)
        log_prob = self.net.policy(observation[:-1]).log_prob(action)
        self.stepped(int(rollout.valid.sum()), rollout.returns[~rollout.returns.isnan()])
        rows = (observation[:-1], action, log_prob, advantage, advantage + values[:-1])
        return tuple(part[rollout.valid].cpu() for part in rows)

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        """The objective of a minibatch, to be minimized."""
        observation, action, before, advantage, returns = batch
        policy = self.net.policy(observation)
        log_prob = policy.log_prob(action)
        if len(advantage) > 1:
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        if self.method == "ppo":
            ratio = (log_prob - before).exp()
            gain = torch.minimum(ratio * advantage, ratio.clamp(1 - self.clip, 1 + self.clip) * advantage)
        else:
            gain = log_prob * advantage
        error = (self.net.value(observation).float() - returns).square().mean()
        loss = -gain.mean() + self.value_coef * error
        return loss - self.entropy_coef * policy.entropy().mean() if self.entropy_coef else loss

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.record_train_loss(loss, len(batch[0]))
        return loss
