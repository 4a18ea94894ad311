"""Monte Carlo control by array operations, and off-policy evaluation by importance sampling.

Sutton and Barto, chapter 5; Silver's lecture 5; not in D2L. Part of ``control.py``: ``--model.method monte_carlo``.

The sum of the returns of all visits of (s, a) in an episode is the sum over its steps of r times a trace, which decays
by gamma and grows by 1 at each visit. So players whose episodes end at different times need no list of their steps.
"""

import torch
from torch import Tensor, nn


class EpisodeSums(nn.Module):
    """Every-visit Monte Carlo of R players: the mean of all returns of each action; their buffers are saved.

    Args:
        num_runs: Players R.
        num_states: S.
        num_actions: A.
    """

    trace: Tensor  # of the episode that is not over
    earned: Tensor  # sum of the returns of its visits
    visits: Tensor
    counts: Tensor  # visits in all episodes that are over
    episode: Tensor  # number of the episode (R,), from 1

    def __init__(self, num_runs: int, num_states: int, num_actions: int) -> None:
        super().__init__()
        for name in ("trace", "earned", "visits", "counts"):
            self.register_buffer(name, torch.zeros(num_runs, num_states, num_actions, dtype=torch.float64))
        self.register_buffer("episode", torch.ones(num_runs, dtype=torch.float64))

    def step(self, q: Tensor, state: Tensor, action: Tensor, reward: Tensor, over: Tensor, gamma: float) -> Tensor:
        """The action values (R, S, A) after a step; they change where the episode is over.

        Args:
            q: Action values (R, S, A).
            state: That was left (R,).
            action: That was taken (R,).
            reward: With the discounted value of the state that was reached, where a time limit cut the episode (R,).
            over: Whether the episode is over (R,).
            gamma: The discount.
        """
        runs, ended = torch.arange(len(state), device=state.device), over[:, None, None]
        self.trace = self.trace * gamma
        self.trace[runs, state, action] += 1
        self.visits[runs, state, action] += 1
        self.earned = self.earned + reward[:, None, None] * self.trace
        self.counts = self.counts + self.visits * ended
        q = q + ended * (self.earned - self.visits * q) / self.counts.clamp(min=1)
        self.trace, self.earned, self.visits = (x * ~ended for x in (self.trace, self.earned, self.visits))
        self.episode = self.episode + over
        return q


def importance_estimates(returns: Tensor, target: Tensor, behavior: Tensor) -> tuple[Tensor, Tensor]:
    """The value of a target policy from episodes of another: ordinary and weighted importance sampling.

    Args:
        returns: Of each episode (N,).
        target: Probability of each action that was taken (N, T) by the target policy; 1 after an episode's end.
        behavior: The same by the policy that acted, which must be able to take what the target takes.

    Returns:
        The mean of ratio times return, which has no bias, and their mean weighted by the ratios, whose bias vanishes
        with more episodes and which varies less; zero where all ratios are zero.
    """
    ratios = (target / behavior).prod(1)
    weighted = (ratios * returns).sum() / ratios.sum().clamp(min=torch.finfo(ratios.dtype).tiny)
    return (ratios * returns).mean(), weighted
