"""Airfoil self-noise: the loudness of 1,503 airfoils in a wind tunnel (Brooks, Pope and Marcolini 1989, NASA; UCI).

Departs from D2L 12.5, which trains and measures on all of its first 1,500 rows, standardized together: here 150 rows
each are for validation and test, and the statistics are the training rows'.
"""

import numpy as np
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule
from datamodules.downloads import fetch
from datamodules.splits import split_indices

URL = "https://d2l-data.s3-accelerate.amazonaws.com/airfoil_self_noise.dat"
SHA256 = "74c75fd71783f1e6b71f8a622b993dc592897a97cd689c5090a07147a1b097b3"


class Airfoil(TensorDataModule):
    """Frequency, angle, chord, speed and thickness x (B, 5), and the sound pressure y (B,), all standardized.

    The first 1,500 rows: 1,200 train, 150 validation, 150 test, split by ``fold``.

    Args:
        fold: Number of the random split.
        num_folds: How many there are.
        num_features: Length of x; linked to the model's argument of the same name.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features",)
    scale = 1.0  #: decibels in one unit of the standardized y

    def __init__(self, fold: int = 0, num_folds: int = 10, num_features: int = 5, **loader: int) -> None:
        super().__init__(**loader)
        if not 0 <= fold < num_folds:
            raise UserError(f"data.fold is {fold}: it is a number from 0 to data.num_folds - 1 = {num_folds - 1}")
        self.fold, self.num_folds, self.num_features = fold, num_folds, num_features

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        rows = np.genfromtxt(fetch(URL, SHA256, "airfoil/airfoil_self_noise.dat"), dtype=np.float32, delimiter="\t")
        splits, self.scale = standardized(torch.from_numpy(rows[:1500]), (1200, 150, 150), self.fold)
        return splits


def standardized(
    table: Tensor, sizes: tuple[int, int, int], seed: int = 0
) -> tuple[dict[str, tuple[Tensor, ...]], float]:
    """Splits of a table whose last column is the target, standardized by the training rows; and that column's scale.

    Args:
        table: (N, columns).
        sizes: Rows of train, val and test.
        seed: Of the split.
    """
    parts = split_indices(table[:, -1], sizes, seed, stratify=False)
    mean, std = table[parts[0]].mean(0), table[parts[0]].std(0)
    table = (table - mean) / std
    train, val, test = ((table[rows, :-1], table[rows, -1]) for rows in parts)
    return {"train": train, "val": val, "test": test, "predict": (test[0],)}, float(std[-1])
