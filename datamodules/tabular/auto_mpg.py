"""Auto MPG: how far 392 cars of 1970 to 1982 drive on a gallon (Quinlan 1993; UCI repository). Ships with mlxtend."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.base import TensorDataModule
from datamodules.splits import split_indices

NUMBERS = ["cylinders", "displacement", "horsepower", "weight", "acceleration", "year"]
ORIGINS = ["America", "Europe", "Japan"]


class AutoMPG(TensorDataModule):
    """Nine features of a car and its miles per gallon. A batch is x (B, 9), y (B,).

    Split with seed 0: 232 train, 60 validation, 100 test. Numbers are standardized by the training rows' mean and
    standard deviation, the origin is one-hot in three columns, the target stays in miles per gallon (mean 23,
    standard deviation 8).

    Args:
        num_features, num_outputs: Sizes of x and y; linked to the model's arguments of the same name.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features", "num_outputs")

    def __init__(self, num_features: int = 9, num_outputs: int = 1, **loader: int) -> None:
        super().__init__(**loader)
        self.num_features = num_features
        self.num_outputs = num_outputs
        self.mean, self.std = torch.zeros(len(NUMBERS)), torch.ones(len(NUMBERS))

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        from mlxtend.data import autompg_data

        table, mpg = autompg_data()  # (392, 8): the numbers, the origin as 1, 2 or 3, the name (not read)
        numbers = torch.from_numpy(table[:, :6].astype(np.float32))
        origin = torch.nn.functional.one_hot(torch.from_numpy(table[:, 6].astype(np.int64)) - 1, len(ORIGINS)).float()
        y = torch.from_numpy(mpg.astype(np.float32))
        rows = split_indices(y, (232, 60, 100), stratify=False)
        self.mean, self.std = numbers[rows[0]].mean(0), numbers[rows[0]].std(0)
        x = torch.cat([(numbers - self.mean) / self.std, origin], dim=1)
        train, val, test = ((x[r], y[r]) for r in rows)
        return {"train": train, "val": val, "test": test, "predict": (test[0],)}

    def processor(self) -> dict[str, Any]:
        return {"features": [*NUMBERS, *ORIGINS], "mean": self.mean.tolist(), "std": self.std.tolist()}
