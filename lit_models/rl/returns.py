"""Returns of episodes and rollouts: discounted, n-step, lambda, and generalized advantages. All are (T, N) tensors.

Sutton and Barto 12.1; Schulman et al. 2016 (GAE). ``going_on`` is 0 where the environment terminated the episode: there
is no value after it. Where a time limit cut it (truncation), the value of the next state still counts, but nothing
of the next episode does: ``same_episode`` is 0 for both.
"""

import torch
from torch import Tensor


def lambda_returns(
    rewards: Tensor, next_values: Tensor, going_on: Tensor, same_episode: Tensor, gamma: float, lam: float
) -> Tensor:
    """G = r + gamma ((1 - lambda) V' + lambda G'), from the end backwards; V' where the rollout or the episode ends.

    Args:
        rewards: (T, N).
        next_values: Values of the states after each step, before any reset.
        going_on: 0 where the episode was terminated, else 1.
        same_episode: 0 where the next row belongs to another episode, else 1.
        gamma: The discount.
        lam: Lambda: 0 is TD(0), 1 is Monte Carlo.

    Returns:
        (T, N).
    """
    returns, after = torch.empty_like(next_values), next_values[-1]
    for t in range(len(rewards) - 1, -1, -1):
        mixed = (1 - lam) * next_values[t] + lam * torch.where(same_episode[t] > 0, after, next_values[t])
        after = rewards[t] + gamma * going_on[t] * mixed
        returns[t] = after
    return returns


def gae(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    going_on: Tensor,
    same_episode: Tensor,
    gamma: float,
    lam: float,
) -> Tensor:
    """Generalized advantages (T, N): the sum of (gamma lambda)^k delta over the rest of the episode.

    Arguments as of ``lambda_returns``, of which it is the difference from ``values``.
    """
    advantage, found = torch.zeros_like(values[0]), torch.empty_like(values)
    for t in range(len(rewards) - 1, -1, -1):
        delta = rewards[t] + gamma * going_on[t] * next_values[t] - values[t]
        advantage = delta + gamma * lam * same_episode[t] * advantage
        found[t] = advantage
    return found


def n_step_returns(rewards: Tensor, next_values: Tensor, lengths: Tensor, gamma: float, n: int) -> Tensor:
    """The sum of n discounted rewards and the value after them, of whole episodes that begin at row 0.

    Args:
        rewards: (T, N), 0 after an episode's end.
        next_values: (T, N), 0 from the last step of an episode on.
        lengths: (N,).
        gamma: The discount.
        n: Steps; Monte Carlo where it is at least T.
    """
    steps, found = len(rewards), torch.zeros_like(next_values)
    for k in range(min(n, steps)):
        found[: steps - k] += gamma**k * rewards[k:]
    last = (torch.arange(steps)[:, None] + n - 1).clamp(max=steps - 1)
    inside = torch.arange(steps)[:, None] + n - 1 < lengths
    return found + gamma**n * torch.where(inside, next_values.gather(0, last.expand_as(next_values)), 0.0)
