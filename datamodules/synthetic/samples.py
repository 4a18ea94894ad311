"""Rows of a known distribution: data whose best possible loss is known."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, distributions

from common.messages import UserError
from datamodules.base import TensorDataModule

Family = Literal["bernoulli", "categorical", "exponential", "gaussian", "laplace", "poisson"]


class Samples(TensorDataModule):
    """Rows x (num_features,) of a family whose parameters are drawn once with ``data_seed``. A batch is ``(x,)``.

    ``log_density`` is the true log-density: the mean of its negative over the test rows is the best possible loss,
    up to the chance of a finite split.

    Args:
        family: bernoulli, categorical, exponential, gaussian (full covariance), laplace or poisson.
        num_features: Columns of a row; independent, except for the Gaussian's.
        num_values: Values of a categorical column.
        num_train, num_val, num_test: Rows of each split.
        data_seed: Seed of parameters and rows; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: Fewer than one column, or fewer than two values.
    """

    links = ("family", "num_features", "num_values")

    def __init__(
        self,
        family: Family = "gaussian",
        num_features: int = 4,
        num_values: int = 5,
        num_train: int = 2000,
        num_val: int = 500,
        num_test: int = 5000,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        if num_features < 1 or num_values < 2:
            raise UserError(
                f"data.num_features is {num_features} and data.num_values {num_values}: give at least 1 and 2"
            )
        self.family, self.num_features, self.num_values = family, num_features, num_values
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}
        self.data_seed = data_seed

    def truth(self) -> distributions.Distribution:
        """The distribution of the rows, in double precision."""
        draw = np.random.default_rng(self.data_seed)
        d = self.num_features

        def numbers(*shape: int) -> Tensor:
            return torch.from_numpy(draw.standard_normal(shape))

        if self.family == "gaussian":
            factor = numbers(d, d) / d**0.5
            return distributions.MultivariateNormal(numbers(d), factor @ factor.T + 0.1 * torch.eye(d))
        kinds = {
            "bernoulli": lambda: distributions.Bernoulli(logits=numbers(d)),
            "categorical": lambda: distributions.Categorical(logits=numbers(d, self.num_values)),
            "exponential": lambda: distributions.Exponential(numbers(d).exp()),
            "laplace": lambda: distributions.Laplace(numbers(d), numbers(d).exp()),
            "poisson": lambda: distributions.Poisson((1 + numbers(d)).exp()),
        }
        return distributions.Independent(kinds[self.family](), 1)

    def log_density(self, x: Tensor) -> Tensor:
        """The true log-density (B,) of rows (B, num_features), in nats."""
        return self.truth().log_prob(x.cpu().double()).to(x)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.data_seed)
            rows = {name: (self.truth().sample((count,)).float(),) for name, count in self.sizes.items()}
        return {**rows, "predict": rows["test"]}
