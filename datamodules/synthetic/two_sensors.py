"""Two sensors of one process: many readings of the first, few of the second, which follows the first.

A place is a time and the number of its sensor, as multitask Gaussian processes take it.
"""

import torch
from torch import Tensor

from datamodules.base import TensorDataModule


def readings(time: Tensor, sensor: Tensor) -> Tensor:
    """The two curves without noise, elementwise: the second is the first upside down, with an offset that grows."""
    first = (3 * time).sin() + 0.5 * (7 * time).cos()
    return torch.where(sensor == 0, first, 0.2 * time - 0.8 * first)


class TwoSensors(TensorDataModule):
    """x (B, 2): time in [0, 4] and sensor, 0 or 1; y (B,): the reading. All test rows are of the second sensor.

    Args:
        noise: Standard deviation of the noise, the best possible ``test/rmse``.
        num_first, num_second: Training readings of each sensor.
        num_features, num_tasks: 2 each, linked to the model's arguments of the same name.
        data_seed: Seed of the data; the run's seed does not change the data.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_features", "num_tasks")

    def __init__(
        self,
        noise: float = 0.1,
        num_first: int = 60,
        num_second: int = 8,
        num_features: int = 2,
        num_tasks: int = 2,
        data_seed: int = 0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        self.num_features, self.num_tasks, self.noise, self.data_seed = num_features, num_tasks, noise, data_seed
        self.sizes = {"train": (num_first, num_second), "val": (0, 200), "test": (0, 1000)}

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, (first, second) in self.sizes.items():
            time = 4 * torch.rand(first + second, generator=generator)
            sensor = torch.cat([torch.zeros(first), torch.ones(second)])
            noise = self.noise * torch.randn(len(time), generator=generator)
            splits[name] = (torch.stack([time, sensor], dim=1), readings(time, sensor) + noise)
        return splits | {"predict": (splits["test"][0],)}
