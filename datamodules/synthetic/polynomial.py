"""Noisy points of a cubic, to be fitted by polynomials of too low, right and too high degree. D2L 3.6.

The cubic and the noise are those of the book's earlier editions (the present one has no code).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from datamodules.base import TensorDataModule


class NoisyPolynomial(TensorDataModule):
    """y = sum of coefficients[k] x^k / k! + noise with x uniform in [-width, width]. A batch is x (B, 1), y (B,).

    The best possible ``test/rmse`` is ``noise``, up to the chance of a finite test split.

    Args:
        num_features: Length of x, which is 1: the model computes the powers.
        coefficients: The true coefficients, from the constant upwards.
        noise: Standard deviation of the noise.
        width: Largest absolute value of x.
        num_train, num_val, num_test: Rows of each split.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features",)

    def __init__(
        self,
        num_features: int = 1,
        coefficients: Sequence[float] = (5.0, 1.2, -3.4, 5.6),
        noise: float = 0.1,
        width: float = 2.0,
        num_train: int = 20,
        num_val: int = 100,
        num_test: int = 1000,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.num_features = num_features
        self.coefficients = list(coefficients)
        self.noise = noise
        self.width = width
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}
        self.data_seed = data_seed

    def rule(self, x: Tensor) -> Tensor:
        """The polynomial without noise, of any shape."""
        y, term = torch.zeros_like(x), torch.ones_like(x)
        for k, coefficient in enumerate(self.coefficients):
            term = term * x / k if k else term  # x^k / k!
            y = y + coefficient * term
        return y

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, rows in self.sizes.items():
            x = self.width * (2 * torch.rand(rows, 1, generator=generator) - 1)
            y = self.rule(x)[:, 0] + self.noise * torch.randn(rows, generator=generator)
            splits[name] = (x, y)
        splits["predict"] = (splits["test"][0],)
        return splits
