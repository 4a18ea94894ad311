"""Points of the plane with a known distribution, to be generated: a normal one, a ring of eight, a grid of 25.

- ``gaussian``: X A + b with X standard normal: the covariance is A^T A. D2L 20.1.
- ``ring``: eight equal normal distributions on a circle of radius 2; ``grid``: 25 of them, two apart. Metz et al. 2017;
  Srivastava et al. 2017.
"""

from typing import Literal

import torch
from torch import Tensor

from datamodules.base import TensorDataModule

A = torch.tensor([[1.0, 2.0], [-0.1, 0.5]])  # of the book
B = torch.tensor([1.0, 2.0])


class PlanePoints(TensorDataModule):
    """A batch is x (B, 2).

    Args:
        kind: ``gaussian``, ``ring`` or ``grid``.
        std: Standard deviation around each of a mixture's centers, in each direction.
        num_train, num_val, num_test: Rows of each split.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.
    """

    items = "points"

    def __init__(
        self,
        kind: Literal["gaussian", "ring", "grid"] = "gaussian",
        std: float = 0.1,
        num_train: int = 1000,
        num_val: int = 1000,
        num_test: int = 2500,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.kind, self.mode_std, self.data_seed = kind, std, data_seed
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}
        self.modes = centers(kind)  # (K, 2)
        if kind == "gaussian":
            self.true_covariance = A.T @ A
        else:
            spread = self.modes - self.modes.mean(0)
            self.true_covariance = spread.T @ spread / len(spread) + std**2 * torch.eye(2)
        self.true_mean = self.modes.mean(0)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, rows in self.sizes.items():
            x = torch.randn(rows, 2, generator=generator)
            which = torch.randint(len(self.modes), (rows,), generator=generator)
            splits[name] = (x @ A + B if self.kind == "gaussian" else self.modes[which] + self.mode_std * x,)
        return splits | {"predict": splits["test"]}


def centers(kind: str) -> Tensor:
    """The means of the normal distributions that a kind is made of: (K, 2)."""
    if kind == "gaussian":
        return B[None]
    if kind == "ring":
        angle = torch.arange(8) * (2 * torch.pi / 8)
        return 2 * torch.stack([angle.cos(), angle.sin()], 1)
    side = 2.0 * (torch.arange(5) - 2)
    return torch.cartesian_prod(side, side)
