"""Steps in their order, for agents that learn while they act: each batch is what has just happened, once.

Sutton and Barto's online algorithms: an action is chosen in the state that was reached, then the agent learns.
"""

from typing import Any

import torch
from torch import Tensor

from datamodules.rl.acting import ActingDataModule
from datamodules.rl.tabular_environments import Batches

#: observation, action, reward, observation and action after it, terminated, over, valid: (T, N, ...) each.
Transitions = tuple[Tensor, ...]


class Steps(ActingDataModule):
    """Online training: a batch is ``batch_size`` steps of all environments, in their order.

    Args:
        num_batches: Batches in an epoch.
        **environments: See ``ActingDataModule``.
    """

    def __init__(self, num_batches: int = 1000, **environments: Any) -> None:
        super().__init__(**environments)
        self.num_batches = num_batches
        self.action: Tensor | None = None  # that was chosen and not yet taken

    def collect(self) -> Transitions:
        """``batch_size`` steps. What begins an episode has an action of its own, chosen in its first state."""
        environments, rows = self.ready(), []
        for _ in range(self.batch_size):
            observation = environments.observation
            action = self.act(observation) if self.action is None else self.action
            reward, terminated, over, valid, returns = environments.step(action)
            self.action = self.act(environments.observation)
            self.trainer.lightning_module.stepped(int(valid.sum()), returns[~returns.isnan()])  # type: ignore[union-attr,operator]
            rows.append((observation, action, reward, environments.observation, self.action, terminated, over, valid))
        return tuple(torch.stack(column) for column in zip(*rows, strict=True))

    def train_dataloader(self) -> Batches:
        return Batches(self.num_batches, self.collect)

    def saved(self) -> dict[str, Tensor | None]:
        return {"action": self.action}

    def restore(self, saved: dict[str, Any], goes_on: bool) -> None:
        self.action = saved["action"] if goes_on else None
        if not goes_on:
            self.trainer.lightning_module.forget_episodes()  # type: ignore[union-attr,operator]
