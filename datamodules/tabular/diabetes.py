"""Diabetes: the progress of the disease within a year, of 442 patients (Efron et al. 2004). Ships with scikit-learn."""

from typing import Any

import torch
from torch import Tensor

from datamodules.base import TensorDataModule
from datamodules.splits import split_indices


class Diabetes(TensorDataModule):
    """Ten measurements of a patient and the disease's progress. A batch is x (B, 10), y (B,).

    262 train, 60 validation, 120 test, split by ``fold``. Columns are standardized by the training rows; the target
    stays in its own units (25 to 346).

    Args:
        fold: Number of the random split.
        num_features, num_outputs: Sizes of x and y; linked to the model's arguments of the same name.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features", "num_outputs")

    def __init__(self, fold: int = 0, num_features: int = 10, num_outputs: int = 1, **loader: int) -> None:
        super().__init__(**loader)
        self.fold, self.num_features, self.num_outputs = fold, num_features, num_outputs
        self.names: list[str] = []
        self.mean, self.std = torch.zeros(10), torch.ones(10)
        self.target_mean, self.target_std = 0.0, 1.0

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        from sklearn.datasets import load_diabetes

        table = load_diabetes(scaled=False)
        self.names = list(table.feature_names)
        x, y = torch.from_numpy(table.data).float(), torch.from_numpy(table.target).float()
        rows = split_indices(y, (262, 60, 120), seed=self.fold, stratify=False)
        self.mean, self.std = x[rows[0]].mean(0), x[rows[0]].std(0)
        self.target_mean, self.target_std = float(y[rows[0]].mean()), float(y[rows[0]].std())
        x = (x - self.mean) / self.std
        train, val, test = ((x[r], y[r]) for r in rows)
        return {"train": train, "val": val, "test": test, "predict": (test[0],)}

    def processor(self) -> dict[str, Any]:
        return {"features": self.names, "mean": self.mean.tolist(), "std": self.std.tolist()}
