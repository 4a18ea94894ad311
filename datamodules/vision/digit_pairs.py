"""Pairs of handwritten digits, one in each of two channels: a hundred kinds of picture, about equally many of each.

Metz et al. 2017 and Srivastava et al. 2017 stack three digits, a thousand kinds, to count the modes of a distribution
that a generator has learned. A hundred can be counted in few samples.
"""

from typing import Any

import torch
from torch import Tensor

from datamodules.vision.images import ImageTensors
from datamodules.vision.mnist import MNIST5k


class DigitPairs(ImageTensors):
    """Images (N, 2, image_size, image_size); y is ten times the first digit plus the second.

    The pairs are drawn with a fixed seed, both digits from the same split of ``MNIST5k``.

    Args:
        train_size, val_size, test_size: Pairs of each split.
        **images: See ``ImageTensors``.
    """

    def __init__(
        self,
        num_classes: int = 100,
        in_channels: int = 2,
        image_size: int = 16,
        train_size: int = 10_000,
        val_size: int = 1000,
        test_size: int = 2500,
        **images: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        self.class_names = [f"{pair:02d}" for pair in range(100)]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        single, splits = MNIST5k(image_size=self.image_size).load(stage), {}
        for seed, (name, size) in enumerate(self.sizes.items()):
            images, labels = single[name]
            rows = torch.randint(len(images), (size, 2), generator=torch.Generator().manual_seed(seed))
            pairs = images[rows, 0]  # (N, 2, S, S)
            splits[name] = self.fit_images(pairs), 10 * labels[rows[:, 0]] + labels[rows[:, 1]]
        return splits | {"predict": (splits["test"][0],)}

    def baselines(self) -> dict[str, Any]:
        """None: a generator has no baseline among classifiers."""
        return {}
