"""A few of the real digits for training: what a regularizer is worth shows there.

    dive fit regularization/lenet_500 --data.subset 3        another 500 of the 3,500 digits

The other digits of the training split are left out.
"""

from typing import Any

from torch import Tensor

from common.messages import UserError
from datamodules.splits import split_indices
from datamodules.vision.mnist import MNIST5k


class FewMNIST5k(MNIST5k):
    """``MNIST5k`` with a subset of its 3,500 training digits; validation and test are the same for all subsets.

    Args:
        num_train: Digits to train on, the classes in equal parts, at least 10 and at most 3,490.
        subset: The number of the subset: its digits are drawn with this seed, not with the run's.
        num_classes, in_channels, image_size: See ``MNIST5k``.
        **images: See ``ImageTensors``.

    Raises:
        UserError: ``num_train`` is out of range.
    """

    def __init__(
        self,
        num_train: int = 500,
        subset: int = 0,
        num_classes: int = 10,
        in_channels: int = 1,
        image_size: int = 28,
        **images: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)
        if not 10 <= num_train <= 3490:
            raise UserError(f"data.num_train is {num_train}: give a number from 10 to 3490")
        self.num_train, self.subset = num_train, subset

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits = super().load(stage)
        images, labels = splits["train"]
        rows = split_indices(labels, (0, self.num_train), seed=self.subset)[1]
        return splits | {"train": (images[rows], labels[rows])}
