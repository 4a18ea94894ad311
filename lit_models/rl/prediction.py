"""Prediction without a model: the values of a policy from its episodes, by Monte Carlo and temporal differences.

Sutton 1988; Sutton and Barto, chapters 5 to 7 and 12. Silver's lecture 4; not in D2L.
The update of an episode is a step of gradient descent on half the squared distance of V(S_t) and its target, which is
held fixed: (G_t - V(S_t)) summed over the episode's states. This is the forward view; ``backward_view`` adds the same
by eligibility traces.

    dive fit rl/prediction                                 TD(lambda) on the walk of 19 states
    dive fit rl/prediction --model.method monte_carlo

The numbers it reaches are in RESULTS.md.
"""

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from common.messages import UserError
from lit_models.rl.returns import lambda_returns, n_step_returns
from lit_models.tasks.processes import rank_and_world
from lit_models.tasks.task import Task
from lit_models.tasks.trains import trains

Method = Literal["td_lambda", "n_step", "monte_carlo", "first_visit"]


class Values(nn.Module):
    """A value for each state. States (B,) -> (B,); all (S,) without states.

    Args:
        num_states: S.
        initial: The first value of each.
    """

    def __init__(self, num_states: int = 19, initial: float = 0.0) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.full((num_states,), initial, dtype=torch.float64))

    def forward(self, states: Tensor | None = None) -> Tensor:
        return self.values.clone() if states is None else self.values[states]


def targets(
    values: Tensor, states: Tensor, rewards: Tensor, method: Method, gamma: float, lam: float = 0.0, n: int = 1
) -> Tensor:
    """The targets (B, T) of each visited state of whole episodes, from the present values (S,).

    Args:
        values: (S,).
        states: (B, T), -1 after an episode's end.
        rewards: (B, T), of leaving each state.
        method: ``first_visit`` and ``monte_carlo`` have the returns themselves.
        gamma: The discount.
        lam: Lambda of ``td_lambda``.
        n: Steps of ``n_step``.
    """
    states, rewards = states.T, rewards.T.to(values.dtype)  # (T, B)
    there = states >= 0
    after = torch.cat([there[1:], torch.zeros_like(there[:1])])  # whether the step leads to another state
    next_states = torch.cat([states[1:], states[:1]])
    next_values = torch.where(after, values[next_states.clamp(min=0)], 0.0)
    if method == "n_step":
        return n_step_returns(rewards, next_values, there.sum(0), gamma, n).T
    lam = lam if method == "td_lambda" else 1.0
    mask = after.to(values.dtype)
    return lambda_returns(rewards, next_values, mask, mask, gamma, lam).T


def first_visits(states: Tensor) -> Tensor:
    """Whether each place of episodes (B, T) is the first visit to its state in the episode."""
    same = (states[:, :, None] == states[:, None, :]).tril(-1)  # (B, T, earlier)
    return ~same.any(2) & (states >= 0)


def backward_view(values: Tensor, states: Tensor, rewards: Tensor, gamma: float, lam: float) -> Tensor:
    """The sum of one episode's updates (S,) by accumulating eligibility traces: e decays by gamma lambda, 1 is added at
    the state that is left, and each TD error goes to all states by e. ``states``, ``rewards`` (T,).
    """
    trace, update = torch.zeros_like(values), torch.zeros_like(values)
    visited = [s for s in states.tolist() if s >= 0]
    for t, state in enumerate(visited):
        after = values[visited[t + 1]] if t + 1 < len(visited) else 0.0
        delta = rewards[t] + gamma * after - values[state]
        trace *= gamma * lam
        trace[state] += 1
        update += delta * trace
    return update


@trains(Values)
class LitPrediction(Task):
    """Prediction as a task: a batch is whole episodes, states (B, T) and rewards (B, T), padded with -1 and 0.

    The optimizer's rate is the step size alpha. Needs a datamodule with ``true_values`` (S,) for measuring.

    Args:
        method: ``td_lambda``, ``n_step``, ``monte_carlo`` (every visit) or ``first_visit``.
        gamma: The discount.
        lam: Lambda of ``td_lambda``; 0 is TD(0).
        n: Steps of ``n_step``.
        **task: See ``Task``.
    """

    output_means = "the value of each state"

    def __init__(
        self, method: Method = "td_lambda", gamma: float = 1.0, lam: float = 0.8, n: int = 4, **task: Any
    ) -> None:
        if method not in get_args(Method):
            raise UserError(f"model.method is {method!r}: give {', '.join(get_args(Method))}")
        if not 0 <= lam <= 1 or n < 1:
            raise UserError(f"model.lam is {lam} and model.n {n}: give lambda from 0 to 1, and n of at least 1")
        super().__init__(**task)
        self.method, self.gamma, self.lam, self.n = method, gamma, lam, n
        self.example_input = torch.zeros(1, dtype=torch.long)

    def loss(self, states: Tensor, rewards: Tensor) -> Tensor:
        """Half the squared error, summed over an episode and averaged over episodes."""
        longest = int((states >= 0).sum(1).max())  # of this batch: the rest is padding
        states, rewards, values = states[:, :longest], rewards[:, :longest], self.net()
        goal = targets(values.detach(), states, rewards, self.method, self.gamma, self.lam, self.n)
        use = first_visits(states) if self.method == "first_visit" else states >= 0
        error = torch.where(use, values[states.clamp(min=0)] - goal, 0.0)
        return error.square().sum() / 2 / len(states)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(*batch)
        self.record_train_loss(loss, len(batch[0]))
        return loss

    def evaluate(self, stage: str, batch: tuple[Tensor, Tensor]) -> None:
        several = rank_and_world(self)[1] > 1
        self.log(f"{stage}/loss", self.loss(*batch), batch_size=len(batch[0]), sync_dist=several)
        truth = self.data_attribute("true_values")
        if truth is not None:
            rms = (self.net() - truth.to(self.device)).square().mean().sqrt()
            self.log(f"{stage}/rms", rms, batch_size=len(batch[0]), sync_dist=several)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.evaluate("val", batch)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.evaluate("test", batch)

    def predict_step(self, batch: tuple[Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"value": self.net()[batch[0]]}

    def panels(self) -> list[dict[str, Any]]:
        """For ``LinePlots``: the values, and the error after ten episodes by step size, for several n and lambda."""
        splits, truth = self.data_attribute("splits", {}), self.data_attribute("true_values")
        if "train" not in splits or truth is None:
            return []
        place = torch.arange(len(truth))
        panels = [
            {"title": "values", "xlabel": "state", "lines": {"true": (place, truth), "here": (place, self.net())}}
        ]
        rates = torch.linspace(0.02, 1.0, 15)
        for name, method, settings in (
            ("n", "n_step", (1, 2, 4, 8, 32)),
            ("lambda", "td_lambda", (0, 0.4, 0.8, 0.95, 1)),
        ):
            lines = {}
            for value in settings:
                curve = [rms_of_ten(splits["train"], truth, method, float(rate), value) for rate in rates]
                lines[f"{name} = {value}"] = (rates, torch.tensor(curve))
            panel: dict[str, Any] = {"title": "rms after ten episodes", "xlabel": "alpha", "lines": lines}
            panels.append(panel | {"ylim": (0.1, 0.6)})
        return panels


def rms_of_ten(episodes: tuple[Tensor, ...], truth: Tensor, method: Any, rate: float, value: float) -> float:
    """The mean rms error over the first ten episodes, each learned at its end (Sutton and Barto, figures 7.2, 12.3)."""
    values, errors = torch.zeros_like(truth), []
    for states, rewards in zip(episodes[0][:10], episodes[1][:10], strict=True):
        length = int((states >= 0).sum())
        seen, earned = states[:length], rewards[:length]
        goal = targets(values, seen[None], earned[None], method, 1.0, lam=value, n=max(int(value), 1))[0]
        values = values.index_add(0, seen, rate * (goal - values[seen]))
        errors.append(float((values - truth).square().mean().sqrt()))
    return sum(errors) / len(errors)
