"""Exact planning: values and policies of a Markov decision process whose transition table is known.

Bellman 1957; Howard 1960 (policy iteration). Silver's lectures 2 and 3, D2L 17.1 and 17.2.
Departs from the book: it is compared with a linear solve, (I - gamma P) v = r, instead of being stopped after ten
sweeps, and what ends an episode has no value afterwards by the table and not by a value that happens to stay zero.

A sweep is a step of gradient descent. With the new values V' held fixed, half the squared distance of V and V' has the
gradient V - V', and a step of rate 1 leads to V'. So sweeps are counted, logged, saved and resumed as all other steps.

    dive fit rl/planning                                               value iteration on the slippery FrozenLake
    dive fit rl/planning --model.method policy_iteration               evaluates by a linear solve: a few steps
    dive fit rl/planning --data.env_id Taxi-v4 --data.env_options null

The numbers it reaches are in RESULTS.md.
"""

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.tasks.processes import rank_and_world
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

Method = Literal["value_iteration", "in_place", "prioritized", "policy_iteration", "policy_evaluation"]


class ValueTable(nn.Module):
    """One value for each state, in double precision, zero at first. States (B,) -> values (B,); all without states.

    Args:
        num_states: S.
    """

    def __init__(self, num_states: int = 16) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(num_states, dtype=torch.float64))

    def forward(self, states: Tensor | None = None) -> Tensor:
        return self.values.clone() if states is None else self.values[states]


def action_values(transitions: Tensor, rewards: Tensor, values: Tensor, gamma: float) -> Tensor:
    """Q(s, a) = R(s, a) + gamma sum over s' of P(s, a, s') V(s').

    Args:
        transitions: P (S, A, S), without what ends an episode.
        rewards: R (S, A), expected.
        values: V (S,).
        gamma: The discount.

    Returns:
        Q (S, A).
    """
    return rewards + gamma * transitions @ values


def greedy(transitions: Tensor, rewards: Tensor, values: Tensor, gamma: float) -> Tensor:
    """The policy (S, A) that takes the best action by ``action_values``; the first one of equals (within 1e-9)."""
    q = action_values(transitions, rewards, values, gamma)
    best = q >= q.amax(1, keepdim=True) - 1e-9  # rounding must not decide between equal actions
    return nn.functional.one_hot(best.int().argmax(1), q.shape[1]).to(q.dtype)


def solve(transitions: Tensor, rewards: Tensor, policy: Tensor, gamma: float) -> Tensor:
    """The values (S,) of a policy (S, A) by the linear solve (I - gamma P_pi) v = R_pi.

    Raises:
        UserError: The policy may never end an episode, and nothing is discounted: there are no finite values.
    """
    p = torch.einsum("sa,sat->st", policy, transitions)
    try:
        return torch.linalg.solve(torch.eye(len(p), dtype=p.dtype) - gamma * p, (policy * rewards).sum(1))
    except torch.linalg.LinAlgError:
        raise UserError("a policy never ends its episode: give model.gamma a value below 1") from None


def optimal_values(transitions: Tensor, rewards: Tensor, gamma: float, sweeps: int = 1000) -> Tensor:
    """The optimal values (S,): sweeps of value iteration, then policy iteration by linear solves until nothing changes.

    Raises:
        UserError: See ``solve``.
    """
    values = torch.zeros(len(rewards), dtype=rewards.dtype)
    for _ in range(sweeps):
        values = action_values(transitions, rewards, values, gamma).amax(1)
    policy = greedy(transitions, rewards, values, gamma)
    for _ in range(100):
        values = solve(transitions, rewards, policy, gamma)
        better = greedy(transitions, rewards, values, gamma)
        if torch.equal(better, policy):
            break
        policy = better
    return values


def in_place_sweep(transitions: Tensor, rewards: Tensor, values: Tensor, gamma: float, states: Tensor) -> Tensor:
    """Value iteration that uses each new value at once (Gauss-Seidel), in the order of ``states`` (S,)."""
    values = values.clone()
    for s in states.tolist():
        values[s] = (rewards[s] + gamma * transitions[s] @ values).max()
    return values


def prioritized_sweep(transitions: Tensor, rewards: Tensor, values: Tensor, gamma: float) -> Tensor:
    """S updates of single states, each of the one with the largest Bellman error at that time."""
    values = values.clone()
    backup = action_values(transitions, rewards, values, gamma).amax(1)
    for _ in range(len(values)):
        s = int((backup - values).abs().argmax())
        values[s] = backup[s]
        before = transitions[:, :, s].sum(1).nonzero()[:, 0]  # the states from which s can be reached
        backup[before] = (rewards[before] + gamma * transitions[before] @ values).amax(1)
    return values


@trains(ValueTable)
class LitPlanning(Task):
    """Planning as a task: a batch (B, S) has the order of a sweep in its first row, and a step is one sweep.

    Needs a datamodule with ``mdp`` = P (S, A, S), R (S, A).

    Args:
        num_actions: Actions in each state.
        gamma: The discount of a reward for each step until it comes.
        method: ``value_iteration`` updates all states from the same old values, ``in_place`` from the newest,
            ``prioritized`` always the state with the largest error; ``policy_iteration`` takes the values of the greedy
            policy, by a linear solve; ``policy_evaluation`` updates the values of the random policy.
        **task: See ``Task``.
    """

    output_means = "the value of each state"

    def __init__(
        self, num_actions: int = 4, gamma: float = 0.95, method: Method = "value_iteration", **task: Any
    ) -> None:
        if not 0 <= gamma <= 1:
            raise UserError(f"model.gamma is {gamma}: give a number from 0 to 1")
        if method not in get_args(Method):
            raise UserError(f"model.method is {method!r}: give {', '.join(get_args(Method))}")
        super().__init__(**task)
        self.num_actions, self.gamma, self.method = num_actions, gamma, method
        self.example_input = torch.zeros(1, dtype=torch.long)

    def mdp(self) -> tuple[Tensor, Tensor]:
        """P and R of the datamodule."""
        found = self.data_attribute("mdp")
        if found is None:
            raise UserError(f"{type(self).__name__} needs a transition table: --data TabularMDP")
        return found[0].to(self.device), found[1].to(self.device)

    def random_policy(self) -> Tensor:
        return torch.full((len(self.net()), self.num_actions), 1 / self.num_actions, dtype=torch.float64)

    def sweep(self, values: Tensor, states: Tensor) -> Tensor:
        """The values (S,) after one sweep of the method, in the order of ``states`` (S,) where there is one."""
        p, r = self.mdp()
        if self.method == "in_place":
            return in_place_sweep(p, r, values, self.gamma, states)
        if self.method == "prioritized":
            return prioritized_sweep(p, r, values, self.gamma)
        if self.method == "policy_iteration":
            return solve(p, r, greedy(p, r, values, self.gamma), self.gamma)
        q = action_values(p, r, values, self.gamma)
        return q.amax(1) if self.method == "value_iteration" else q.mean(1)

    def exact(self) -> Tensor:
        """What the method must reach (S,), by linear solves."""
        p, r = self.mdp()
        if self.method == "policy_evaluation":
            return solve(p, r, self.random_policy().to(p), self.gamma)
        return optimal_values(p, r, self.gamma)

    def on_test_epoch_start(self) -> None:
        self.reached = self.exact()

    def training_step(self, batch: tuple[Tensor], batch_idx: int) -> Tensor:
        values = self.net()  # (S,)
        with torch.no_grad():
            target = self.sweep(values.detach(), batch[0][0])
        loss = (values - target).square().sum() / 2  # its gradient is values - target
        self.record_train_loss(loss, 1)
        return loss

    def evaluate(self, stage: str, states: Tensor) -> None:
        """Logs the largest change that one more sweep would make, and in a test the distance from the exact values."""
        values = self.net()
        change = (self.sweep(values, torch.arange(len(values))) - values)[states].abs().max()
        self.log(f"{stage}/loss", change, reduce_fx="max", sync_dist=rank_and_world(self)[1] > 1)
        if stage == "test":
            error = (values - self.reached)[states].abs().max()
            self.log("test/error", error, reduce_fx="max", sync_dist=rank_and_world(self)[1] > 1)

    def validation_step(self, batch: tuple[Tensor], batch_idx: int) -> None:
        self.evaluate("val", batch[0])

    def test_step(self, batch: tuple[Tensor], batch_idx: int) -> None:
        self.evaluate("test", batch[0])

    def predict_step(self, batch: tuple[Tensor], batch_idx: int) -> dict[str, Tensor]:
        """The value and the best action of each state."""
        values = self.net()
        best = greedy(*self.mdp(), values, self.gamma).argmax(1)
        return {"value": values[batch[0]], "action": best[batch[0]]}

    def value_map(self) -> dict[str, Any] | None:
        """For ``ValueMap``: the values and the greedy policy, all actions that are equally good."""
        values = self.net().detach()
        q = action_values(*self.mdp(), values, self.gamma)
        return {"values": values.cpu(), "policy": (q >= q.amax(1, keepdim=True) - 1e-9).cpu()}
