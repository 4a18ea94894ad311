"""Photographs to be given a style, a texture that is the style, and examples of four textures to recognize it by.

Contents are random crops of scikit-learn's two photographs; training, validation and test crops come from different
columns. The style is a drawn texture in two colors, or a file. ``source`` has the textures in any colors, sizes and
angles, laid over photographs more or less strongly, and photographs without a texture as a fifth class.
"""

import math
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError, did_you_mean
from datamodules.vision.images import ImageTensors
from datamodules.vision.style_pair import read_picture
from datamodules.vision.textured_shapes import COLUMNS, crops, turned

TEXTURES = ("stripes", "checks", "dots", "waves")
INK, PAPER = (0.1, 0.2, 0.6), (1.0, 0.8, 0.2)  # of the style
PERIOD, ANGLE = 8.0, 0.6  # pixels, and radians


class PhotoTextures(ImageTensors):
    """A batch is content (B, 3, S, S) and style (B, 3, S, S) in [0, 1], the same picture in all rows.

    Args:
        style: One of stripes, checks, dots and waves, or a file.
        in_channels, image_size: In color, S pixels, at least 32.
        train_size, val_size, test_size: Crops of each split.
        source_size: Examples of textures and photographs, for a classifier.
        **images: See ``ImageTensors``.

    Raises:
        UserError: The style is neither a texture nor a file; a file is not a picture.
    """

    links = ("in_channels", "image_size")  # type: ignore[assignment]

    def __init__(
        self,
        style: str = TEXTURES[0],
        in_channels: int = 3,
        image_size: int = 48,
        train_size: int = 400,
        val_size: int = 40,
        test_size: int = 100,
        source_size: int = 1000,
        **images: Any,
    ) -> None:
        super().__init__(len(TEXTURES) + 1, in_channels, image_size, **images)
        if style not in TEXTURES and "." not in style:
            raise UserError(
                f"data.style is {style}{did_you_mean(style, TEXTURES)}: give a file or {', '.join(TEXTURES)}"
            )
        self.style, self.source_size = style, source_size
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        self.style_class = TEXTURES.index(style) if style in TEXTURES else None

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        style, splits = self.style_picture()[None], {}
        for seed, (name, count) in enumerate(self.sizes.items()):
            content = crops(count, COLUMNS[name], torch.Generator().manual_seed(seed), self.image_size)
            splits[name] = (as_bytes(content), style.expand(count, -1, -1, -1))
        return {**splits, "predict": (splits["test"][0],)}

    def style_picture(self) -> Tensor:
        """(3, S, S) uint8."""
        if self.style_class is None:
            return read_picture(self.style, "style", self.image_size)
        one, zero = torch.ones(1), torch.zeros(1)
        where = texture(one.long() * self.style_class, self.image_size, one * PERIOD, one * ANGLE, zero)
        return as_bytes(torch.lerp(torch.tensor(PAPER).view(3, 1, 1), torch.tensor(INK).view(3, 1, 1), where[0]))

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(x * (1 / 255) for x in batch)

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        content, *rest = batch
        return (super().augment((content, content))[0], *rest)

    def source(self) -> tuple[Tensor, Tensor]:
        """Images (N, 3, S, S) uint8 of the four textures in turn and of photographs, and their classes (N,)."""
        random, count = torch.Generator().manual_seed(9), self.source_size

        def uniform(low: float, high: float, *shape: int) -> Tensor:
            return torch.rand(count, *shape, generator=random) * (high - low) + low

        labels = torch.arange(count) % (len(TEXTURES) + 1)
        photos = crops(count, COLUMNS["train"], random, self.image_size)
        kinds = labels.clamp(max=len(TEXTURES) - 1)
        where = texture(kinds, self.image_size, uniform(5, 11), uniform(0, math.pi), uniform(0, 2 * math.pi))
        ink, paper = uniform(0, 0.4, 3, 1, 1), uniform(0.6, 1, 3, 1, 1)
        swap = uniform(0, 1, 1, 1, 1) < 0.5
        drawn = torch.lerp(torch.where(swap, ink, paper), torch.where(swap, paper, ink), where[:, None])
        strength = uniform(0.3, 1, 1, 1, 1) * (labels < len(TEXTURES)).view(-1, 1, 1, 1)
        return as_bytes(torch.lerp(photos, drawn, strength)), labels


def texture(kinds: Tensor, side: int, period: Tensor, angle: Tensor, phase: Tensor) -> Tensor:
    """Where the ink of textures (N,) is: (N, S, S) in [0, 1].

    Args:
        kinds: Numbers in ``TEXTURES`` (N,).
        side: S, in pixels.
        period: In pixels (N,).
        angle, phase: In radians (N,).
    """
    line = torch.arange(side) + 0.5
    x, y = (part[None] for part in torch.meshgrid(line, line, indexing="xy"))
    along, across = (c * (2 * math.pi / period.view(-1, 1, 1)) for c in turned(x, y, angle.view(-1, 1, 1)))
    along, across = along + phase.view(-1, 1, 1), across + phase.view(-1, 1, 1)
    forms = [
        along.sin() * 4,
        along.sin() * across.sin() * 8,
        (along.cos() + across.cos() - 0.7) * 6,
        (along + 1.5 * (across / 1.5).sin()).sin() * 4,
    ]
    chosen = torch.stack(forms, 1)[torch.arange(len(kinds)), kinds]
    return chosen.clamp(-1, 1) / 2 + 0.5


def as_bytes(x: Tensor) -> Tensor:
    return (x.clamp(0, 1) * 255 + 0.5).byte()
