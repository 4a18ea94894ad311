"""Two of CIFAR-10's classes with 50 pictures each, and the eight others to learn from before.

Ships and trucks are new; airplanes, automobiles and six animals are the source. The draws of the 50 pictures share
none, so that their results differ by all that another hundred pictures would change.
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.vision.cifar10 import NAMES, published
from datamodules.vision.transfer_images import TransferImages

KNOWN = 8  # classes of the source: the first eight


class CIFAR10Transfer(TransferImages):
    """Images (N, 3, 32, 32) of ships and trucks; ``source`` has the other eight classes.

    Args:
        num_classes, in_channels, image_size: Two classes, in color.
        per_class: Training pictures of a class.
        fold: Which ones: the pictures of two folds have none in common; validation and test stay.
        num_folds: The draws that ``dive results`` measures one after the other; 0: any ``fold`` will do.
        val_size: Training pictures of the two classes together that are kept for validation.
        source_size: Pictures of the eight other classes, at most; 0 means all of the training files.
        **images: See ``TransferImages``.

    Raises:
        UserError: ``per_class`` is less than 1; ``fold`` is out of range; the files have too few pictures.
    """

    def __init__(
        self,
        num_classes: int = len(NAMES) - KNOWN,
        in_channels: int = 3,
        image_size: int = 32,
        per_class: int = 50,
        num_folds: int = 0,
        fold: int = 0,
        val_size: int = 200,
        source_size: int = 0,
        **images: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, per_class, num_folds, fold, **images)
        self.val_size, self.source_size = val_size, source_size
        self.class_names = NAMES[KNOWN:]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        (images, labels), (test_images, test_labels) = published()
        held, random = self.val_size // 2, torch.Generator().manual_seed(0)
        end = held + (self.fold + 1) * self.per_class
        parts: dict[str, list[Tensor]] = {"train": [], "val": []}
        for label in range(KNOWN, len(NAMES)):
            rows = (labels == label).nonzero()[:, 0]
            if len(rows) < end:
                raise UserError(
                    f"data.per_class {self.per_class} and data.fold {self.fold} need {end} pictures of {NAMES[label]}, "
                    f"{held} for validation, but there are {len(rows)}: lower them"
                )
            rows = rows[torch.randperm(len(rows), generator=random)]
            parts["val"].append(rows[:held])
            parts["train"].append(rows[end - self.per_class : end])
        splits: dict[str, tuple[Tensor, ...]] = {}
        for name, found in parts.items():
            chosen = torch.cat(found)
            splits[name] = self.fit_images(images[chosen]), labels[chosen] - KNOWN
        new = test_labels >= KNOWN
        splits["test"] = self.fit_images(test_images[new]), test_labels[new] - KNOWN
        return splits | {"predict": (splits["test"][0],)}

    def source(self) -> tuple[Tensor, Tensor]:
        """Images (N, 3, 32, 32) uint8 of the eight other classes and their classes (N,), each picture also mirrored."""
        images, labels = published()[0]
        rows = (labels < KNOWN).nonzero()[:, 0]
        rows = rows[: self.source_size] if self.source_size else rows
        known = self.fit_images(images[rows])
        return torch.cat([known, known.flip(-1)]), labels[rows].repeat(2)
