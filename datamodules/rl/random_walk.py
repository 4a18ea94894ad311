"""Episodes of a random walk on a line: Sutton and Barto's 5 states (example 6.2) and 19 states (example 7.1)."""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule


class RandomWalk(TensorDataModule):
    """Walks from the middle to either end. A batch is states (B, T), -1 after the end, and rewards (B, T).

    With 19 states the left end gives -1 and the right one 1; with ``left_reward`` 0 and 5 states the true values are
    1/6 to 5/6.

    Args:
        num_states: Places between the ends, an odd number.
        left_reward, right_reward: Rewards of the two ends; all others are 0.
        num_train, num_val, num_test: Episodes of each split.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_states",)

    def __init__(
        self,
        num_states: int = 19,
        left_reward: float = -1.0,
        right_reward: float = 1.0,
        num_train: int = 400,
        num_val: int = 100,
        num_test: int = 100,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        if num_states < 1 or num_states % 2 == 0:
            raise UserError(f"data.num_states is {num_states}: give an odd number, a walk begins in the middle")
        self.num_states, self.ends = num_states, (left_reward, right_reward)
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}
        self.data_seed = data_seed
        k = torch.arange(1, num_states + 1, dtype=torch.float64)
        self.true_values = left_reward + (right_reward - left_reward) * k / (num_states + 1)  # linear between the ends

    def walks(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        place = torch.full((count,), self.num_states // 2)
        states, rewards = [], []
        while bool((place >= 0).any()):
            states.append(place)
            step = 2 * torch.randint(2, (count,), generator=generator) - 1
            after = place + step
            left, right = (place >= 0) & (after < 0), (place >= 0) & (after >= self.num_states)
            rewards.append(self.ends[0] * left.double() + self.ends[1] * right.double())
            place = torch.where((place < 0) | left | right, -1, after)
        return torch.stack(states, 1), torch.stack(rewards, 1)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {n: self.walks(size, generator) for n, size in self.sizes.items()}
        return splits | {"predict": (torch.arange(self.num_states),)}

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Of values that are all zero, as they are at first."""
        rms = float(self.true_values.square().mean().sqrt())
        return {"chance": {"what": "all values zero", "metrics": {"test/rms": rms}}}
