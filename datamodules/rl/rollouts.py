"""Rollouts for on-policy learning: T steps of N environments, then some passes over their rows in minibatches.

A batch belongs to the policy that acted: rows are thrown away after ``passes``. Schulman et al. 2017, algorithm 1.
With ``whole_episodes`` a rollout is one whole episode of each environment, as REINFORCE has it.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.rl.acting import LONGEST, ActingDataModule
from datamodules.rl.tabular_environments import Batches


@dataclass
class Rollout:
    """What happened; (T, N) each, besides the observations.

    Args:
        observation: (T + 1, N, F): row t + 1 is what the step of row t reached.
        action: (T, N), or (T, N, A).
        reward: (T, N).
        terminated: There is no value after the step.
        over: The episode ends with the step, terminated or truncated.
        valid: The row is a transition, no reset.
        returns: Of an episode that ended, else NaN.
    """

    observation: Tensor
    action: Tensor
    reward: Tensor
    terminated: Tensor
    over: Tensor
    valid: Tensor
    returns: Tensor


class Rollouts(ActingDataModule):
    """On-policy training. The model's ``rows(rollout)`` makes tensors of its transitions; a batch is some rows of each.

    Args:
        num_steps: Steps T of each environment in a rollout.
        passes: Passes over a rollout.
        rollouts: Rollouts in an epoch.
        whole_episodes: A rollout is one episode of each environment, and T is not used.
        **environments: See ``ActingDataModule``; ``batch_size`` is that of a minibatch.
    """

    def __init__(
        self,
        num_steps: int = 32,
        passes: int = 10,
        rollouts: int = 20,
        whole_episodes: bool = False,
        **environments: Any,
    ) -> None:
        super().__init__(**environments)
        for name, value in {"num_steps": num_steps, "passes": passes, "rollouts": rollouts}.items():
            if value < 1:
                raise UserError(f"data.{name} is {value}: give a whole number of at least 1")
        self.num_steps, self.passes, self.rollouts, self.whole_episodes = num_steps, passes, rollouts, whole_episodes
        self.rows: tuple[Tensor, ...] = ()  # of the rollout that is learned from
        self.order: list[Tensor] = []  # the minibatches that are still to come

    def setup(self, stage: str) -> None:
        """Refuses a model that learns from whole episodes where rollouts are cut after ``num_steps``."""
        super().setup(stage)
        model = self.trainer.lightning_module if self.trainer else None
        if stage == "fit" and getattr(model, "needs_whole_episodes", False) and not self.whole_episodes:
            raise UserError(f"{type(model).__name__} learns from whole episodes: give --data.whole_episodes true")

    def minibatches(self) -> int:
        """Minibatches of a pass, the same for every rollout and process."""
        return 1 if self.whole_episodes else max(1, self.num_steps * self.num_envs // self.batch_size)

    def collect(self) -> Rollout:
        """Acts. Whole episodes begin with a reset, and what follows an episode's end is not valid.

        Raises:
            UserError: A whole episode has no end.
        """
        environments = self.ready()
        if self.whole_episodes:
            environments.reset()
        finished = torch.zeros(self.num_envs, dtype=torch.bool)
        observations: list[Tensor] = [environments.observation]
        steps: list[tuple[Tensor, ...]] = []
        while len(steps) < self.num_steps or self.whole_episodes:
            action = self.act(environments.observation)
            reward, terminated, over, valid, returns = environments.step(action)
            observations.append(environments.observation)
            if self.whole_episodes:
                valid = ~finished
                returns, finished = torch.where(valid, returns, float("nan")), finished | over
            steps.append((action, reward, terminated, over, valid, returns))
            if self.whole_episodes and bool(finished.all()):
                break
            if self.whole_episodes and len(steps) >= LONGEST:
                raise self.endless()
        return Rollout(torch.stack(observations), *(torch.stack(column) for column in zip(*steps, strict=True)))

    def next_batch(self) -> tuple[Tensor, ...]:
        """The next minibatch; after the last one of a rollout, the first of a new rollout."""
        self.ready()
        if not self.order:
            assert self.trainer is not None
            rollout = self.collect()
            while not bool(rollout.valid.any()):  # one step of each environment, all of them resets
                rollout = self.collect()
            with torch.no_grad():
                self.rows = self.trainer.lightning_module.rows(rollout)  # type: ignore[operator]
            rows, parts = len(self.rows[0]), self.minibatches()
            for _ in range(self.passes):  # where resets leave fewer rows than minibatches, some rows come twice
                self.order += (torch.randperm(max(rows, parts)) % rows).tensor_split(parts)
        index = self.order.pop(0)
        return tuple(part[index] for part in self.rows)

    def train_dataloader(self) -> Batches:
        return Batches(self.rollouts * self.passes * self.minibatches(), self.next_batch)

    def saved(self) -> dict[str, Any]:
        return {"rows": [*self.rows] if self.order else [], "order": [index.clone() for index in self.order]}

    def restore(self, saved: dict[str, Any], goes_on: bool) -> None:
        self.rows, self.order = tuple(saved["rows"]), list(saved["order"])
