"""A noisy curve, y = sin x + sin(4 x) / 2 + noise: the book's Gaussian process regression. D2L 18.3.

Departs from the book: the inputs are uniform instead of equally spaced, the data has its own seed, and test points have
noise as the training points have, so that a predicted interval can be judged.
"""

import torch
from torch import Tensor

from datamodules.base import TensorDataModule


def two_sines(x: Tensor) -> Tensor:
    """The true curve without noise, elementwise."""
    return x.sin() + (4 * x).sin() / 2


class TwoSines(TensorDataModule):
    """x ~ U(0, 5), y = sin x + sin(4 x) / 2 + noise. A batch is x (B, 1), y (B,).

    Args:
        noise: Standard deviation of the noise, the best possible ``test/rmse``; 0.25 in the book.
        num_train, num_val, num_test: Points of each split; the book has 50 to train.
        num_features: 1, linked to the model's argument of this name.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features",)

    def __init__(
        self,
        noise: float = 0.25,
        num_train: int = 50,
        num_val: int = 200,
        num_test: int = 2000,
        num_features: int = 1,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.num_features = num_features
        self.noise, self.data_seed = noise, data_seed
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, rows in self.sizes.items():
            x = 5 * torch.rand(rows, 1, generator=generator)
            splits[name] = (x, two_sines(x[:, 0]) + self.noise * torch.randn(rows, generator=generator))
        return splits | {"predict": (splits["test"][0],)}
