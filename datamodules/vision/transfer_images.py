"""What data for transfer shares: a few training pictures of new classes, of which other draws exist, and a source."""

from typing import Any

from torch import Tensor

from common.messages import UserError
from datamodules.vision.images import ImageTensors


class TransferImages(ImageTensors):
    """A leaf supplies ``load`` and ``source``.

    Args:
        num_classes, in_channels, image_size, **images: See ``ImageTensors``.
        per_class: Training pictures of a class.
        num_folds: The draws that ``dive results`` measures one after the other; 0: any ``fold`` will do.
        fold: Which training pictures.

    Raises:
        UserError: ``per_class`` is less than 1; ``fold`` is out of range.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: int,
        per_class: int,
        num_folds: int,
        fold: int,
        **images: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)
        if per_class < 1:
            raise UserError(f"data.per_class is {per_class}: give a whole number of at least 1")
        if fold < 0 or (num_folds and fold >= num_folds):
            most = f"from 0 to {num_folds - 1}" if num_folds else "of at least 0"
            raise UserError(f"data.fold is {fold}: give a whole number {most}")
        self.per_class, self.fold = per_class, fold

    def source(self) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) uint8 of other classes, and their classes (N,)."""
        raise NotImplementedError
