"""A smooth curve without noise: what is missed is what the network cannot represent."""

import torch
from torch import Tensor

from datamodules.base import TensorDataModule


def wiggle(x: Tensor) -> Tensor:
    """The curve, elementwise: slow on the left, fast on the right."""
    return torch.sin(3 * torch.exp(x)) + 0.3 * x


class Wiggle(TensorDataModule):
    """y = sin(3 e^x) + 0.3 x with x ~ U(-1, 1). A batch is x (B, 1), y (B,).

    Args:
        num_features: 1; linked to the model's argument of the same name.
        num_train, num_val, num_test: Points of each split.
        data_seed: Seed of the points; the run's seed does not change them.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features",)

    def __init__(
        self,
        num_features: int = 1,
        num_train: int = 1000,
        num_val: int = 500,
        num_test: int = 1000,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.num_features, self.data_seed = num_features, data_seed
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, rows in self.sizes.items():
            x = 2 * torch.rand(rows, self.num_features, generator=generator) - 1
            splits[name] = (x, wiggle(x[:, 0]))
        return splits | {"predict": splits["test"][:1]}
