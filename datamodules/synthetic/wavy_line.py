"""A noisy curve, y = 2 sin x + x: a task for kernel regression with a known curve. D2L 11.2.

Departs from the book: the data has its own seed, the inputs are not sorted, and validation and test points have noise
as the training points have.
"""

import torch
from torch import Tensor

from datamodules.base import TensorDataModule


def curve(x: Tensor) -> Tensor:
    """The true curve without noise, elementwise."""
    return 2 * x.sin() + x


class WavyLine(TensorDataModule):
    """x ~ U(0, 5), y = 2 sin x + x + noise. A batch is x (B, 1), y (B,).

    The best possible ``test/rmse`` is ``noise``, up to the chance of a finite test split.

    Args:
        noise: Standard deviation of the noise; 1 in the book.
        num_train, num_val, num_test: Points of each split; the book has 40 to train.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.
    """

    def __init__(
        self,
        noise: float = 1.0,
        num_train: int = 40,
        num_val: int = 500,
        num_test: int = 2000,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.num_features = 1
        self.noise, self.data_seed = noise, data_seed
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, rows in self.sizes.items():
            x = 5 * torch.rand(rows, 1, generator=generator)
            splits[name] = (x, curve(x[:, 0]) + self.noise * torch.randn(rows, generator=generator))
        return splits | {"predict": (splits["test"][0],)}
