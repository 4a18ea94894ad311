"""XOR: four points, of which each split has all."""

import torch
from torch import Tensor

from datamodules.base import TensorDataModule


class XOR(TensorDataModule):
    """x in {0, 1}^2, y = 1 where the two differ. A batch is x (B, 2), y (B,).

    Args:
        num_features: Linked to the model's argument of the same name; y is the parity of so many bits.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features",)

    def __init__(self, num_features: int = 2, **loader: int) -> None:
        super().__init__(**loader)
        self.num_features = num_features

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        bits = torch.tensor([0.0, 1.0])
        x = torch.cartesian_prod(*[bits] * self.num_features).reshape(-1, self.num_features)
        rows = (x, x.sum(1) % 2)
        return dict.fromkeys(("train", "val", "test"), rows) | {"predict": rows[:1]}
