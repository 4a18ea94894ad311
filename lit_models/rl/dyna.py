"""Dyna-Q and Dyna-Q+: a model of the environment from what was seen, and planning with it between two real steps.

Sutton 1990; Sutton and Barto 8.2 and 8.3; Silver's lecture 8. Part of ``control.py``: ``--model.planning_steps 10``.
The model of each of R players is a table of what each action last led to. In Dyna-Q+ an action that was not taken for
tau steps is worth kappa sqrt(tau) more in planning, so that changes of the environment are found; actions that were
never taken in a state that was seen are planned too, as if they led back to it without reward.
"""

import torch
from torch import Tensor, nn


class LearnedModels(nn.Module):
    """What each action of each state last led to, for R players; all of it is saved.

    Args:
        num_runs: Players R.
        num_states: S.
        num_actions: A.
    """

    reached: Tensor
    reward: Tensor
    terminated: Tensor
    taken: Tensor  # step of the last time, -1 never
    step: Tensor

    def __init__(self, num_runs: int, num_states: int, num_actions: int) -> None:
        super().__init__()
        size = (num_runs, num_states, num_actions)
        here = torch.arange(num_states)[:, None].expand(size)
        self.register_buffer("reached", here.clone())
        self.register_buffer("reward", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("terminated", torch.zeros(size, dtype=torch.bool))
        self.register_buffer("taken", torch.full(size, -1))
        self.register_buffer("step", torch.tensor(0))

    def learn(self, state: Tensor, action: Tensor, reward: Tensor, reached: Tensor, terminated: Tensor) -> None:
        """Keeps a step of each player, each part (R,)."""
        runs = torch.arange(len(state), device=state.device)
        self.reached[runs, state, action], self.reward[runs, state, action] = reached, reward.to(self.reward)
        self.terminated[runs, state, action] = terminated
        self.taken[runs, state, action] = self.step
        self.step += 1

    def plan(self, q: Tensor, steps: int, alpha: float, gamma: float, kappa: float) -> Tensor:
        """The action values (R, S, A) after ``steps`` updates of Q-learning with remembered steps, drawn at random.

        Args:
            q: Action values (R, S, A).
            steps: Updates of each player.
            alpha: Step size.
            gamma: The discount.
            kappa: Weight of the time since an action was taken; 0 is Dyna-Q, which plans what was seen only.
        """
        runs, seen = torch.arange(len(q), device=q.device), self.taken >= 0
        if kappa:
            seen = seen.any(2, keepdim=True).expand_as(seen)
        for _ in range(steps):
            drawn = torch.multinomial(seen.flatten(1).double(), 1)[:, 0]
            state, action = drawn // q.shape[2], drawn % q.shape[2]
            age = self.step - self.taken[runs, state, action].clamp(min=0)
            reward = self.reward[runs, state, action] + kappa * age.double().sqrt()
            after = q[runs, self.reached[runs, state, action]].amax(1) * ~self.terminated[runs, state, action]
            q[runs, state, action] += alpha * (reward + gamma * after - q[runs, state, action])
        return q
