"""Digits with a fraction of wrong labels, which a network learns last and should not learn. D2L 5.5.2.

Zhang et al. 2017, "Understanding deep learning requires rethinking generalization": networks can learn any labels.
Rolnick et al. 2017, "Deep Learning is Robust to Massive Label Noise": they learn the true ones first.
"""

from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.vision.mnist import MNIST5k


class NoisyMNIST5k(MNIST5k):
    """``MNIST5k`` with wrong labels in training and validation; the test labels are right.

    The noise is drawn with seed 0, each wrong label evenly from the nine others.

    Args:
        noise: Fraction of the labels that are wrong, from 0 to 1.
        hold_out: False validates on the training rows, to show training without held-out data.
        num_classes, in_channels, image_size: See ``MNIST5k``.
        **images: See ``ImageTensors``.
    """

    def __init__(
        self,
        noise: float = 0.4,
        hold_out: bool = True,
        num_classes: int = 10,
        in_channels: int = 1,
        image_size: int = 28,
        **images: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)
        if not 0 <= noise <= 1:
            raise UserError(f"data.noise is {noise}: give a fraction from 0 to 1")
        self.noise, self.hold_out = noise, hold_out

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        splits = super().load(stage)
        generator = torch.Generator().manual_seed(0)
        for name in ("train", "val"):
            images, labels = splits[name]
            splits[name] = (images, corrupt(labels, self.noise, self.num_classes, generator))
        if not self.hold_out:
            splits["val"] = splits["train"]
        return splits


def corrupt(labels: Tensor, noise: float, num_classes: int, generator: torch.Generator) -> Tensor:
    """Labels (N,) of which round(noise * N) were replaced by another class."""
    wrong = torch.randperm(len(labels), generator=generator)[: round(noise * len(labels))]
    shift = torch.randint(1, num_classes, (len(wrong),), generator=generator)
    labels = labels.clone()
    labels[wrong] = (labels[wrong] + shift) % num_classes
    return labels
