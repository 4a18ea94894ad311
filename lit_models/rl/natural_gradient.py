"""The natural policy gradient: a step of a given length in distributions, not in weights.

Kakade 2001, "A natural policy gradient"; the step's length and conjugate gradients as in Schulman et al. 2015, "Trust
region policy optimization", without its line search. Silver's lecture 7; not in D2L. The Kullback-Leibler divergence
between the policies of two nearby weights is half d^T F d, with the Fisher matrix F, the mean of the outer product of
grad log pi with itself. The direction that gains most return for a given divergence is F^-1 g. It does not depend on
how the policy is written as weights (``test_natural_gradient.py`` writes it in two ways).

F is never formed: F v is the gradient of (gradient of the divergence) times v, and a few conjugate gradients solve
F x = g. The return's baseline is the mean of all episodes of the batch at the same step, its own included.

    dive fit rl/natural_gradient                                          CartPole balances to its limit of 500 steps
    dive fit rl/natural_gradient --model.step_kl 0.05
    dive fit rl/reinforce                                                 the plain gradient, with a learned baseline

The numbers it reaches are in RESULTS.md.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, kl_divergence

from common.messages import UserError
from lit_models.rl.agent import Agent
from lit_models.rl.ppo import most_probable, perceptron, policy_of
from lit_models.tasks.processes import mean_over_processes, rank_and_world
from lit_models.tasks.trains import trains


def conjugate_gradient(product: Callable[[Tensor], Tensor], b: Tensor, steps: int, least: float = 1e-10) -> Tensor:
    """x (P,) with A x = b, for a positive definite A of which only ``product(v)``, A v, is known.

    Args:
        product: A v (P,) of a vector v (P,).
        b: (P,).
        steps: At most so many products; P of them are exact but for rounding.
        least: Squared length of the residual at which x is good enough, in parts of that of b.
    """
    x, residual = torch.zeros_like(b), b.clone()
    direction, length = residual.clone(), residual @ residual
    enough = least * length
    for _ in range(steps):
        if length <= enough:
            break
        along = product(direction)
        rate = length / (direction @ along)
        x, residual = x + rate * direction, residual - rate * along
        shorter = residual @ residual
        direction, length = residual + shorter / length * direction, shorter
    return x


class Policy(nn.Module):
    """Observations (B, F) -> logits of the actions, or means (B, A).

    Args:
        num_features: F.
        num_actions: A.
        continuous: Whether an action is a vector, from a normal distribution whose deviations are parameters.
        hidden_size: Units of each of two hidden layers.
    """

    def __init__(
        self, num_features: int = 4, num_actions: int = 2, continuous: bool = False, hidden_size: int = 32
    ) -> None:
        super().__init__()
        self.body = perceptron([num_features, hidden_size, hidden_size, num_actions], 0.01)
        self.log_std = nn.Parameter(torch.zeros(num_actions)) if continuous else None

    def forward(self, observation: Tensor) -> Tensor:
        return self.body(observation)

    def policy(self, observation: Tensor) -> Distribution:
        """The distribution of the action."""
        return policy_of(self.body(observation).float(), self.log_std)


@trains(Policy)
class LitNaturalGradient(Agent):
    """Natural policy gradient as a task: a batch is (observation, action, advantage), rows of whole episodes. The
    optimizer is SGD with rate 1, since the step has its length already.

    Args:
        gamma: The discount.
        step_kl: The divergence of a step in nats, up to terms of third order.
        cg_steps: Conjugate gradients of a step.
        damping: Added to the diagonal of F.
        fisher_rows: At most so many rows of a batch, equally far apart, make F; all of them make the gradient.
        **task: See ``Task``.

    Raises:
        UserError: A number outside of its range.
    """

    output_means = "logits of the actions, or the mean of a continuous action from -1 to 1"
    takes = ("Discrete", "Box")
    needs_whole_episodes = True  # the returns are summed from the end of the rollout
    net: Policy

    def __init__(
        self,
        gamma: float = 0.99,
        step_kl: float = 0.02,
        cg_steps: int = 10,
        damping: float = 1e-3,
        fisher_rows: int = 1000,
        **task: Any,
    ) -> None:
        if not 0 <= gamma <= 1:
            raise UserError(f"model.gamma is {gamma}: give a number from 0 to 1")
        numbers = {"step_kl": step_kl, "cg_steps": cg_steps, "damping": damping, "fisher_rows": fisher_rows}
        for name, value in numbers.items():
            if value <= 0:
                raise UserError(f"model.{name} is {value}: give a number greater than 0")
        super().__init__(**task)
        self.gamma, self.step_kl, self.cg_steps, self.damping = gamma, step_kl, cg_steps, damping
        self.fisher_rows = fisher_rows
        self.observation: Tensor | None = None  # those rows of the batch whose gradient is being taken

    def act(self, observation: Tensor, greedy: bool = False) -> Tensor:
        """Actions (N,), or (N, A), for observations (N, F): drawn from the policy, or its most probable ones."""
        policy = self.net.policy(observation)
        return most_probable(policy) if greedy else policy.sample()

    def rows(self, rollout: Any) -> tuple[Tensor, ...]:
        """Training rows of whole episodes: what each step earned from there on, minus the mean of the episodes that
        last as long.
        """
        valid, reward = rollout.valid, rollout.reward * rollout.valid
        to_go = torch.zeros_like(reward)
        after = torch.zeros_like(reward[0])
        for t in range(len(reward) - 1, -1, -1):
            after = reward[t] + self.gamma * after
            to_go[t] = after
        mean = (to_go * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True).clamp(min=1)
        advantage = to_go - mean
        rounding = 1e-5 * to_go.abs().amax(1, keepdim=True)  # of equal episodes, which a full step would not follow
        advantage = torch.where(advantage.abs() <= rounding, 0.0, advantage)
        self.stepped(int(valid.sum()), rollout.returns[~rollout.returns.isnan()])
        return tuple(part[valid] for part in (rollout.observation[:-1], rollout.action, advantage))

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        observation, action, advantage = batch
        self.observation = observation[:: -(-len(observation) // self.fisher_rows)]
        advantage = advantage / (advantage.std() + 1e-8) if len(advantage) > 1 else advantage
        loss = -(self.net.policy(observation).log_prob(action) * advantage).mean()
        several = rank_and_world(self)[1] > 1  # whose episodes are of other lengths: each step counts as much
        self.record_train_loss(loss, torch.tensor(len(action), device=loss.device) if several else len(action))
        return loss

    # -- the natural step -----------------------------------------------------------------------------------------

    def fisher_product(self, observation: Tensor, vector: Tensor) -> Tensor:
        """F v (P,), with the states of ``observation`` (B, F), for v (P,): the second derivative of the divergence."""
        weights = list(self.net.parameters())
        with torch.enable_grad():
            policy = self.net.policy(observation)
            divergence = kl_divergence(detached(policy), policy).mean()
            slope = torch.autograd.grad(divergence, weights, create_graph=True)
            along = (torch.cat([part.flatten() for part in slope]) * vector).sum()
            second = torch.autograd.grad(along, weights)
        return torch.cat([part.flatten() for part in second])

    def natural_step(self, gradient: Tensor, observation: Tensor) -> Tensor:
        """The step (P,) against a gradient (P,) whose divergence in these states is ``step_kl``."""

        def product(vector: Tensor) -> Tensor:
            return mean_over_processes(self, self.fisher_product(observation, vector)) + self.damping * vector

        step = conjugate_gradient(product, gradient, self.cg_steps)
        return step * (2 * self.step_kl / (gradient @ step).clamp(min=1e-12)).sqrt()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        super().on_before_optimizer_step(optimizer)
        weights = [p for p in self.net.parameters() if p.grad is not None]
        gradient = torch.cat([p.grad.flatten() for p in weights if p.grad is not None])
        assert self.observation is not None
        step = self.natural_step(gradient, self.observation)
        for p, part in zip(weights, step.split([p.numel() for p in weights]), strict=True):
            p.grad = part.view_as(p)


def detached(policy: Distribution) -> Distribution:
    """The same policy as a constant."""
    if isinstance(policy, Categorical):
        return policy_of(policy.logits.detach(), None)
    normal: Any = policy.base_dist  # type: ignore[attr-defined]
    return policy_of(normal.loc.detach(), normal.scale.detach().log())
