"""The base of all video sets: what a batch of clips is, and the links to a model's sizes.

A batch is x (B, C, T, S, S) in [0, 1], channels before frames (BCTHW), and y (B,). There is no flip in time or space: a
reversed clip is of another class (opening, closing), and so is a mirrored one (left, right).
"""

from typing import Any, Literal

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule

Order = Literal["true", "shuffled", "one"]


class Clips(TensorDataModule):
    """Clips of ``num_frames`` frames. A subclass's ``clips`` makes them of the rows of a batch.

    Args:
        num_classes, in_channels, num_frames, image_size: Linked to the model's arguments of the same name.
        order: What is shown of a clip, in every split: its frames in their ``true`` order, ``shuffled``, each clip in
            an order of its own, or ``one`` of them, the middle one, ``num_frames`` times. The latter two show what a
            network knows without the motion.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: A size is not positive.
    """

    links = ("num_classes", "in_channels", "num_frames", "image_size")
    items = "videos"

    def __init__(
        self, num_classes: int, in_channels: int, num_frames: int, image_size: int, order: Order = "true", **loader: Any
    ) -> None:
        super().__init__(**loader)
        for name, size in (("num_frames", num_frames), ("image_size", image_size)):
            if size < 1:
                raise UserError(f"data.{name} is {size}: give a whole number of at least 1")
        self.num_classes, self.in_channels = num_classes, in_channels
        self.num_frames, self.image_size = num_frames, image_size
        self.order = order

    @property
    def input_means(self) -> str:  # type: ignore[override]
        kind = {1: "gray", 3: "red, green, blue"}.get(self.in_channels, "channels")
        size = f"{self.num_frames} frames of {self.image_size} x {self.image_size} pixels"
        return f"clips, {kind}, {size}, channels before frames, bytes / 255: numbers in [0, 1]"

    def clips(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Makes clips x (B, C, T, S, S), or K of each row (B, K, C, T, S, S), of the rows of a batch."""
        raise NotImplementedError

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *rest = self.clips(batch)
        return (in_order(x, self.order), *rest)

    @property
    def training(self) -> bool:
        """Whether batches are those of a training step."""
        return self.trainer is not None and bool(self.trainer.training)


def in_order(x: Tensor, order: Order) -> Tensor:
    """Clips (..., T, S, S) with their frames in another order, the same for each channel."""
    frames = x.shape[-3]
    if order == "one":
        middle = frames // 2
        return x[..., middle : middle + 1, :, :].expand_as(x)
    if order == "shuffled":
        orders = torch.rand(len(x), frames, device=x.device).argsort(1)
        index = orders.view(len(x), *[1] * (x.ndim - 4), frames, 1, 1).expand_as(x)
        return x.gather(-3, index)
    return x
