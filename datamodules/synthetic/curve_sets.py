"""Many small training sets of one noisy curve, to measure what a fit owes to the chance of its training set."""

import math

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule


class CurveSets(TensorDataModule):
    """y = sin(2 pi x) exp(-x) / 2 + noise with x ~ U(-1, 1). A batch is x (B, 1), y (B,) and the curve (B,).

    ``curve_sets`` are the training sets: x and y, each (num_sets, num_points). The rows of the train split are the
    first set's; validation and test rows are new points.

    Args:
        num_sets: Training sets; linked to the model's argument of the same name.
        num_points: Points of each.
        noise: Standard deviation of the noise.
        num_val, num_test: Points of the other splits.
        data_seed: Seed of the data; the run's seed does not change it.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: Fewer than two training sets.
    """

    links = ("num_sets",)

    def __init__(
        self,
        num_sets: int = 200,
        num_points: int = 50,
        noise: float = 0.3,
        num_val: int = 500,
        num_test: int = 5000,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        if num_sets < 2:
            raise UserError(f"data.num_sets is {num_sets}: a variance needs at least 2 training sets")
        self.num_sets, self.num_points, self.noise = num_sets, num_points, noise
        self.sizes = {"val": num_val, "test": num_test}
        self.data_seed = data_seed
        self.curve_sets: tuple[Tensor, Tensor] | None = None

    @staticmethod
    def true_curve(x: Tensor) -> Tensor:
        """The curve without noise, elementwise."""
        return torch.sin(2 * math.pi * x) * torch.exp(-x) / 2

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Points and noisy targets of a shape."""
        x = 2 * torch.rand(shape, generator=generator) - 1
        return x, self.true_curve(x) + self.noise * torch.randn(shape, generator=generator)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        self.curve_sets = self.draw((self.num_sets, self.num_points), generator)
        rows = {"train": (self.curve_sets[0][0], self.curve_sets[1][0])}
        rows |= {name: self.draw((count,), generator) for name, count in self.sizes.items()}
        splits = {name: (x[:, None], y, self.true_curve(x)) for name, (x, y) in rows.items()}
        return {**splits, "predict": splits["test"][:1]}
