"""A linear rule with Gaussian noise: a task with known weights. D2L 3.3, and 3.7 with 200 features.

Departs from the book, which draws new data for each object: here the data has its own seed, so that runs with different
seeds train on the same data, and there is a test split.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule


class SyntheticRegression(TensorDataModule):
    """y = x . weights + bias + noise with x ~ N(0, 1). A batch is x (B, num_features), y (B,).

    The best possible ``test/rmse`` is ``noise``, up to the chance of a finite test split.

    Args:
        num_features: Length of x; linked to the model's argument of the same name.
        weights: The true weights; a single number is used for all features.
        bias: The true bias.
        noise: Standard deviation of the noise.
        num_train, num_val, num_test: Rows of each split.
        data_seed: Seed of the data; the run's seed does not change the data.
        batch_size: Rows in one process's training batch.
        eval_batch_size: Rows in one process's evaluation batch; 0 means four times ``batch_size``.

    Raises:
        UserError: The number of weights is neither 1 nor ``num_features``.
    """

    links = ("num_features",)

    def __init__(
        self,
        num_features: int = 2,
        weights: Sequence[float] = (2.0, -3.4),
        bias: float = 4.2,
        noise: float = 0.01,
        num_train: int = 1000,
        num_val: int = 1000,
        num_test: int = 1000,
        data_seed: int = 0,
        batch_size: int = 32,
        eval_batch_size: int = 0,
    ) -> None:
        super().__init__(batch_size, eval_batch_size)
        if len(weights) not in (1, num_features):
            raise UserError(
                f"data.weights has {len(weights)} numbers for data.num_features {num_features}: give 1 or all"
            )
        self.num_features = num_features
        self.weights = torch.tensor(list(weights)).expand(num_features)
        self.bias = bias
        self.noise = noise
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}
        self.data_seed = data_seed

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, rows in self.sizes.items():
            x = torch.randn(rows, self.num_features, generator=generator)
            noise = self.noise * torch.randn(rows, generator=generator)
            splits[name] = (x, x @ self.weights + self.bias + noise)
        return splits | {"predict": splits["test"][:1]}
