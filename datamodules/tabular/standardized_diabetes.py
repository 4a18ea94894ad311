"""Diabetes with all columns standardized: 442 patients (Efron et al. 2004). Ships with scikit-learn."""

import torch
from torch import Tensor

from datamodules.base import TensorDataModule
from datamodules.tabular.airfoil import standardized


class StandardizedDiabetes(TensorDataModule):
    """Ten measurements of a patient x (B, 10) and the progression after a year y (B,), all standardized.

    302 train, 60 validation, 80 test, by a fixed seed; statistics of the training rows.

    Args:
        num_features: Length of x; linked to the model's argument of the same name.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features",)
    scale = 1.0  #: the target's units in one of the standardized y

    def __init__(self, num_features: int = 10, **loader: int) -> None:
        super().__init__(**loader)
        self.num_features = num_features

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        from sklearn.datasets import load_diabetes

        x, y = load_diabetes(return_X_y=True, scaled=False)
        table = torch.cat([torch.from_numpy(x), torch.from_numpy(y)[:, None]], 1).float()
        splits, self.scale = standardized(table, (302, 60, 80))
        return splits
