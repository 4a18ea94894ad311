"""Two classes in the plane whose probability is known: p(class 1 | x) = sigmoid(5 sin(x_0) cos(x_1))."""

import torch
from torch import Tensor

from datamodules.base import TensorDataModule


def probability(x: Tensor) -> Tensor:
    """The true probability of class 1: (N, 2) -> (N,)."""
    return torch.sigmoid(5 * x[:, 0].sin() * x[:, 1].cos())


class Waves(TensorDataModule):
    """x ~ U(-3, 3) in both columns, y drawn from its probability. A batch is x (B, 2), y (B,), 0 or 1.

    The best possible ``test/acc`` is about 0.82, the best ``test/loss`` about 0.39 (``best`` computes both of a split).

    Args:
        num_train, num_val, num_test: Points of each split.
        num_features, num_classes: Linked to the model's arguments of the same name.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features", "num_classes")

    def __init__(
        self,
        num_train: int = 200,
        num_val: int = 200,
        num_test: int = 2000,
        num_features: int = 2,
        num_classes: int = 2,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.num_features, self.num_classes, self.data_seed = num_features, num_classes, data_seed
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, rows in self.sizes.items():
            x = 6 * torch.rand(rows, 2, generator=generator) - 3
            splits[name] = (x, (torch.rand(rows, generator=generator) < probability(x)).long())
        return splits | {"predict": (splits["test"][0],)}

    @staticmethod
    def best(x: Tensor, y: Tensor) -> tuple[float, float]:
        """Accuracy and cross-entropy of the true probabilities on rows x (N, 2), y (N,)."""
        p = probability(x)
        right = torch.where(y == 1, p, 1 - p)
        return float((right > 0.5).float().mean()), float(-right.log().mean())
