"""An inverse problem: a function of y gives x, and y is asked for. Bishop 1994."""

import math

import torch
from torch import Tensor

from datamodules.base import TensorDataModule


class InverseSine(TensorDataModule):
    """x = y + 0.3 sin(2 pi y) + noise with y ~ U(0, 1): up to three values of y belong to an x. A batch is x (B, 1),
    y (B,).

    Args:
        num_features: 1; linked to the model's argument of the same name.
        noise: Standard deviation of the noise of x.
        num_train, num_val, num_test: Points of each split.
        data_seed: Seed of the data; the run's seed does not change it.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features",)

    def __init__(
        self,
        num_features: int = 1,
        noise: float = 0.05,
        num_train: int = 2000,
        num_val: int = 500,
        num_test: int = 2000,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.num_features, self.noise, self.data_seed = num_features, noise, data_seed
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}

    def log_density(self, x: Tensor, y: Tensor, points: int = 2001) -> Tensor:
        """The true log p(y | x) (B,): the density of the noise at y, over its integral over a grid of y."""
        grid = torch.linspace(0, 1, points, dtype=torch.float64)

        def log_noise(y: Tensor) -> Tensor:
            return -((x.double() - y - 0.3 * torch.sin(2 * math.pi * y)) / self.noise).square() / 2

        return log_noise(y.double()[:, None])[:, 0] - log_noise(grid[None]).logsumexp(1) + math.log(points - 1)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, rows in self.sizes.items():
            y = torch.rand(rows, generator=generator)
            x = y + 0.3 * torch.sin(2 * math.pi * y) + self.noise * torch.randn(rows, generator=generator)
            splits[name] = (x[:, None], y)
        return splits | {"predict": splits["test"][:1]}
