"""Noise of a gradient: each training row is a draw that is added to the gradient of a function (D2L 12.4.1)."""

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule


class GradientNoise(TensorDataModule):
    """Rows of noise x (B, num_features), N(0, std^2) in training, zero in the other splits. A batch is (x,).

    A row is a step, unless ``batch_size`` averages several.

    Args:
        num_features: Dimensions; linked to the model's argument of the same name.
        std: Standard deviation; 0 is the exact gradient.
        num_train: Training rows: the steps of an epoch.
        data_seed: Seed of the draws.
        batch_size: Rows that are averaged in a step.
        eval_batch_size: Rows in an evaluation batch; 0 means four times ``batch_size``.

    Raises:
        UserError: ``std`` is negative.
    """

    links = ("num_features",)

    def __init__(
        self,
        num_features: int = 2,
        std: float = 0.0,
        num_train: int = 100,
        data_seed: int = 0,
        batch_size: int = 1,
        eval_batch_size: int = 0,
    ) -> None:
        super().__init__(batch_size, eval_batch_size)
        if std < 0:
            raise UserError(f"data.std is {std}: a standard deviation is at least 0")
        self.num_features, self.std, self.num_train, self.data_seed = num_features, std, num_train, data_seed

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(self.data_seed)
        noise = self.std * torch.randn(self.num_train, self.num_features, generator=generator)
        zero = torch.zeros(8, self.num_features)
        return {"train": (noise,), "val": (zero,), "test": (zero,), "predict": (zero,)}
