"""Stations that measure a field which moves over a plane with the hours: spatiotemporal regression.

The field is a sum of two moving waves and a daily cycle that is stronger in the east.
"""

import math

import torch
from torch import Tensor

from datamodules.base import TensorDataModule


def field(x: Tensor) -> Tensor:
    """The field without noise: (N, 3), place in the unit square and time in days, -> (N,)."""
    east, north, time = x.unbind(1)
    waves = (4 * east - 3 * north - 0.6 * time).sin() + 0.7 * (5 * north + 0.8 * time).cos()
    return waves + (0.5 + east) * (2 * math.pi * time).sin()


class Stations(TensorDataModule):
    """x (B, 3): east, north, days; y (B,). Each split has stations of its own, which measure at random times.

    Args:
        noise: Standard deviation of the noise, the best possible ``test/rmse``.
        num_stations: Stations of the training split; 30 more validate and 60 test.
        readings: Of each training station within three days.
        num_features: 3, linked to the model's argument of this name.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features",)

    def __init__(
        self,
        noise: float = 0.2,
        num_stations: int = 40,
        readings: int = 10,
        num_features: int = 3,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.num_features, self.noise, self.data_seed = num_features, noise, data_seed
        self.sizes = {"train": (num_stations, readings), "val": (30, 10), "test": (60, 15)}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, (stations, readings) in self.sizes.items():
            places = torch.rand(stations, 2, generator=generator).repeat_interleave(readings, 0)
            x = torch.cat([places, 3 * torch.rand(len(places), 1, generator=generator)], dim=1)
            splits[name] = (x, field(x) + self.noise * torch.randn(len(x), generator=generator))
        return splits | {"predict": (splits["test"][0],)}
