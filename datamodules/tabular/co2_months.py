"""CO2 over Mauna Loa by time: a month's mean in ppm as a function of the date. Ships with statsmodels.

The classic task of Gaussian processes (Rasmussen and Williams 2006, 5.4.3): a trend, a yearly cycle, and the years
after the data. ``CO2`` of ``series.py`` has the same numbers as a series.
"""

import torch
from torch import Tensor

from datamodules.base import TensorDataModule


class CO2Months(TensorDataModule):
    """521 months from March 1958 on: x (B, 1), years since 1958, y (B,), ppm. Months without measurement are absent.

    The months from ``split_year`` on are the test split: an extrapolation. Of the others every tenth validates.

    Args:
        split_year: The first year of the test split.
        num_features: 1, linked to the model's argument of this name.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features",)
    unit = "ppm"
    input_means = "years since the beginning of 1958"

    def __init__(self, split_year: int = 1992, num_features: int = 1, **loader: int) -> None:
        super().__init__(**loader)
        self.split_year, self.num_features = split_year, num_features

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        from statsmodels.datasets import co2

        table = co2.load_pandas().data["co2"].resample("MS").mean().dropna()
        years = table.index.year + (table.index.month - 0.5) / 12
        x = torch.tensor(years.to_numpy() - 1958, dtype=torch.float64)[:, None]
        y = torch.tensor(table.to_numpy(), dtype=torch.float64)
        test = x[:, 0] >= self.split_year - 1958
        val = ~test & (torch.arange(len(x)) % 10 == 5)
        rows = {"train": ~test & ~val, "val": val, "test": test}
        splits: dict[str, tuple[Tensor, ...]] = {name: (x[chosen], y[chosen]) for name, chosen in rows.items()}
        return splits | {"predict": (splits["test"][0],)}
