"""Friedman's first function: ten columns, of which five matter, and a known noise. Friedman 1991.

y = 10 sin(pi x_0 x_1) + 20 (x_2 - 1/2)^2 + 10 x_3 + 5 x_4 + noise; x_5 to x_9 have no effect.
"""

import math

import torch
from torch import Tensor

from datamodules.base import TensorDataModule


def friedman(x: Tensor) -> Tensor:
    """The function without noise: (N, 10) in [0, 1] -> (N,)."""
    waves = 10 * (math.pi * x[:, 0] * x[:, 1]).sin()
    return waves + 20 * (x[:, 2] - 0.5).square() + 10 * x[:, 3] + 5 * x[:, 4]


class Friedman(TensorDataModule):
    """x uniform, standardized to mean 0 and variance 1; a batch is x (B, 10), y (B,), in the function's units.

    The best possible ``test/rmse`` is ``noise``, the best ``test/nll`` 1.42 for a noise of 1.

    Args:
        noise: Standard deviation of the noise.
        num_train, num_val, num_test: Rows of each split.
        num_features: 10, linked to the model's argument of this name.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features",)

    def __init__(
        self,
        noise: float = 1.0,
        num_train: int = 1000,
        num_val: int = 200,
        num_test: int = 1000,
        num_features: int = 10,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.num_features, self.noise, self.data_seed = num_features, noise, data_seed
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}
        self.target_mean, self.target_std = 14.4, 5.0  # of the function, whatever the rows

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, rows in self.sizes.items():
            x = torch.rand(rows, 10, generator=generator)
            y = friedman(x) + self.noise * torch.randn(rows, generator=generator)
            splits[name] = ((x - 0.5) * math.sqrt(12), y)
        return splits | {"predict": (splits["test"][0],)}
