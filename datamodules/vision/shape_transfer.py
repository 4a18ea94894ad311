"""Two new classes with 20 pictures each, and eight other classes to learn from before: what transfer is for.

Of the ten textured shapes the striped and the checked ring are new; discs, squares, triangles and crosses, striped or
checked, are the source, with thousands of pictures. Forty pictures are too few to learn what stripes are.
"""

from typing import Any

import torch
from torch import Tensor

from datamodules.vision.textured_shapes import COLUMNS, SHAPES, TEXTURES, draw_images
from datamodules.vision.transfer_images import TransferImages

KNOWN = 2 * (len(SHAPES) - 1)  # classes of the source: the first eight


class ShapeTransfer(TransferImages):
    """Images (N, 3, 32, 32) of striped and checked rings; ``source`` has the other eight classes.

    Args:
        num_classes, in_channels, image_size: Two classes, in color; images are always generated with 32 pixels.
        per_class: Training pictures of a class.
        fold: Which ones: another number draws others, for an interval over draws; the test pictures stay.
        num_folds: The draws that ``dive results`` measures one after the other; 0: any ``fold`` will do.
        val_size, test_size: Pictures of the two classes for validation and test.
        source_size: Pictures of the eight other classes.
        **images: See ``TransferImages``.

    Raises:
        UserError: ``per_class`` is less than 1; there is no such fold.
    """

    def __init__(
        self,
        num_classes: int = len(TEXTURES),
        in_channels: int = 3,
        image_size: int = 32,
        per_class: int = 20,
        num_folds: int = 0,
        fold: int = 0,
        val_size: int = 200,
        test_size: int = 1000,
        source_size: int = 3200,
        **images: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, image_size, per_class, num_folds, fold, **images)
        self.source_size = source_size
        self.sizes = {"val": val_size, "test": test_size}
        self.class_names = [f"{texture} {SHAPES[-1]}" for texture in TEXTURES]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        def new(count: int, split: str, seed: int) -> tuple[Tensor, Tensor]:
            """``count`` pictures of the new classes, in turn one of each."""
            images, labels = draw_images(10 * count, COLUMNS[split], torch.Generator().manual_seed(seed))
            rows = [(labels == KNOWN + k).nonzero()[: -(-count // 2), 0] for k in range(2)]
            order = torch.stack(rows, 1).flatten()[:count]
            return self.fit_images(images[order]), labels[order] - KNOWN

        splits: dict[str, tuple[Tensor, ...]] = {"train": new(2 * self.per_class, "train", 1000 + self.fold)}
        for seed, (name, size) in enumerate(self.sizes.items(), 1):
            splits[name] = new(size, name, seed)
        return splits | {"predict": (splits["test"][0],)}

    def source(self) -> tuple[Tensor, Tensor]:
        """Images (N, 3, 32, 32) uint8 of the eight other classes, and their classes (N,)."""
        images, labels = draw_images(self.source_size * 10 // KNOWN, COLUMNS["train"], torch.Generator().manual_seed(0))
        kept = labels < KNOWN
        return self.fit_images(images[kept]), labels[kept]
