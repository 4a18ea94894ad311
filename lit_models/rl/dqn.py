"""Deep Q-learning: a target network and a replay buffer; double, dueling, n-step and prioritized by argument.

Mnih et al. 2015, "Human-level control through deep reinforcement learning"; van Hasselt et al. 2016 (double); Wang et
al. 2016 (dueling); Schaul et al. 2016 (prioritized); Silver's lecture 6; not in D2L. Departs from the paper: vectors in
place of pictures; several environments that act together; a time limit truncates an episode and does not terminate it.
The error is squared: with the paper's bounded gradient a network that cannot yet tell the rare last steps of an episode
from others fits the median of their targets, which leaves them out, and values grow without end (measured on CartPole).

    dive fit rl/dqn                                       CartPole balances to its limit of 500 steps
    dive fit rl/dqn --data.alpha 0.6                      prioritized replay
    dive fit rl/dqn --model.double false --model.dueling false        the paper's
    dive play rl/dqn

The numbers it reaches are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.rl.agent import Agent
from lit_models.rl.control import explore
from lit_models.tasks.trains import trains


class QNetwork(nn.Module):
    """Action values. Observations (B, F) -> (B, A).

    Args:
        num_features: F.
        num_actions: A.
        hidden_size: Units of each of two hidden layers.
        dueling: Value plus advantages, whose mean is zero, in place of action values.
    """

    def __init__(
        self, num_features: int = 4, num_actions: int = 2, hidden_size: int = 128, dueling: bool = True
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(num_features, hidden_size), nn.ReLU(), nn.Linear(hidden_size, hidden_size), nn.ReLU()
        )
        self.advantage = nn.Linear(hidden_size, num_actions)
        self.value = nn.Linear(hidden_size, 1) if dueling else None

    def forward(self, observation: Tensor) -> Tensor:
        features = self.body(observation)
        advantage = self.advantage(features)
        if self.value is None:
            return advantage
        return self.value(features) + advantage - advantage.mean(1, keepdim=True)


@trains(QNetwork)
class LitDQN(Agent):
    """DQN as a task: a batch is (observation, action, n-step reward, observation after it, discount, weight), (B, ...).

    Args:
        continuous: Of the environment's actions: only discrete ones are possible.
        gamma: The discount.
        double: The network chooses the next action, and its target only evaluates it.
        huber: The paper's loss, whose gradient is at most 1, in place of the squared error.
        target_every: Steps of the optimizer after which the target becomes a copy.
        epsilon: The first probability of a random action, and the last.
        epsilon_steps: Steps of all environments together over which it falls.
        **task: See ``Task``.
    """

    output_means = "the value of each action"
    net: QNetwork

    def __init__(
        self,
        continuous: bool = False,
        gamma: float = 0.99,
        double: bool = True,
        huber: bool = False,
        target_every: int = 200,
        epsilon: tuple[float, float] = (1.0, 0.04),
        epsilon_steps: int = 10_000,
        **task: Any,
    ) -> None:
        numbers = {"gamma": gamma, "epsilon": epsilon[0], "epsilon[1]": epsilon[1]}
        for name, value in numbers.items():
            if not 0 <= value <= 1:
                raise UserError(f"model.{name} is {value}: give a number from 0 to 1")
        for name, count in {"target_every": target_every, "epsilon_steps": epsilon_steps}.items():
            if count < 1:
                raise UserError(f"model.{name} is {count}: give a whole number of at least 1")
        super().__init__(**task)
        self.gamma, self.double_q, self.target_every = gamma, double, target_every
        self.huber, self.epsilon, self.epsilon_steps = huber, epsilon, epsilon_steps
        self.errors: Tensor | None = None  # of the last batch (B,)
        for name, weight in self.net.named_parameters():
            self.register_buffer(f"target_{name.replace('.', '_')}", weight.detach().clone())

    # -- acting ---------------------------------------------------------------------------------------------------

    def act(self, observation: Tensor, greedy: bool = False) -> Tensor:
        """Actions (N,) for observations (N, F): epsilon-greedy, or the best ones."""
        q = self.net(observation)
        if greedy:
            return q.argmax(1)
        first, last = self.epsilon
        part = min(1.0, float(self.frames) / self.epsilon_steps)
        return explore(q, first + part * (last - first))

    # -- learning -------------------------------------------------------------------------------------------------

    def target(self, observation: Tensor) -> Tensor:
        """Action values (B, A) by the target network."""
        weights = {name: getattr(self, f"target_{name.replace('.', '_')}") for name, _ in self.net.named_parameters()}
        return torch.func.functional_call(self.net, weights, (observation,))

    def update_target(self) -> None:
        """The target becomes a copy of the network."""
        for name, value in self.net.named_parameters():
            getattr(self, f"target_{name.replace('.', '_')}").copy_(value.detach())

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        """The mean loss, weighted; keeps the absolute errors."""
        observation, action, reward, reached, discount, weight = batch
        with torch.no_grad():
            after = self.target(reached).float()
            best = (self.net(reached) if self.double_q else after).argmax(1, keepdim=True)
            target = reward + discount * after.gather(1, best)[:, 0]
        q = self.net(observation).float().gather(1, action[:, None])[:, 0]
        self.errors = (target - q).detach().abs()
        error = F.smooth_l1_loss if self.huber else F.mse_loss
        return (weight * error(q, target, reduction="none")).mean()

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        if self.global_step % self.target_every == 0:
            self.update_target()
        loss = self.loss(batch)
        self.record_train_loss(loss, len(batch[0]))
        return loss
