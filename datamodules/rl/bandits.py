"""Bandits: the ten-armed testbed of Sutton and Barto 2.3, many at once, and arms that give 0 or 1."""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule


class Bandits(TensorDataModule):
    """Rewards that each arm would give at each pull. A training batch is (B, R, K); else runs (B,), means (B, K).

    Args:
        num_runs: Independent bandits R.
        num_arms: Arms K of each.
        bernoulli: Rewards are 1 with a probability that is uniform in [0, 1], else 0. False: rewards are normal with
            variance 1 around a mean from N(0, 1).
        num_pulls: Rows of the training split.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_runs", "num_arms", "bernoulli")

    def __init__(
        self,
        num_runs: int = 200,
        num_arms: int = 10,
        bernoulli: bool = False,
        num_pulls: int = 1000,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        for name, value in (("num_runs", num_runs), ("num_arms", num_arms), ("num_pulls", num_pulls)):
            if value < 1:
                raise UserError(f"data.{name} is {value}: give a whole number of at least 1")
        self.num_runs, self.num_arms, self.bernoulli, self.num_pulls = num_runs, num_arms, bernoulli, num_pulls
        self.generator = torch.Generator().manual_seed(data_seed)
        draw = torch.rand if bernoulli else torch.randn
        self.arm_means = draw(num_runs, num_arms, generator=self.generator)
        self.after_means = self.generator.get_state()

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        size, runs = (self.num_pulls, self.num_runs, self.num_arms), torch.arange(self.num_runs)
        self.generator.set_state(self.after_means)
        if self.bernoulli:
            rewards = (torch.rand(size, generator=self.generator) < self.arm_means).float()
        else:
            rewards = self.arm_means + torch.randn(size, generator=self.generator)
        return {"train": (rewards,), "predict": (runs,)} | dict.fromkeys(("val", "test"), (runs, self.arm_means))

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Of a player who takes a random arm each time."""
        lost = float((self.arm_means.amax(1) - self.arm_means.mean(1)).mean())
        metrics = {"test/regret": lost * self.num_pulls, "test/loss": lost}
        return {"chance": {"what": "a random arm at each pull", "metrics": metrics}}
