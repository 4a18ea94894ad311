"""Your own large pictures for a detector: not made as small as its input, but kept so large that tiles fit into them.

    dive predict vision/cells --data LargePictures --data.root photos --data.tiles 3

A detector that looks at tiles (``lit_models/functional/views.py``) sees each object three times as large in this way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorLoader
from datamodules.vision.image_folder import ImageFolder

MOST = 64  # tiles along a side: larger numbers are a mistake


class LargePictures(ImageFolder):
    """Pictures (B, in_channels, tiles * image_size, tiles * image_size) of a folder, to be predicted.

    Args:
        root: The folder.
        num_classes, in_channels, image_size: Those of the trained network.
        tiles: Sides of the network's input along a picture's side.
        **images: See ``ImageFolder``.

    Raises:
        UserError: ``tiles`` is not a whole number from 1 to 64; another command than ``dive predict``; a model that
            does not look at tiles.
    """

    def __init__(
        self,
        root: str = "",
        num_classes: int = 0,
        in_channels: int = 0,
        image_size: int = 0,
        tiles: int = 2,
        **images: Any,
    ) -> None:
        super().__init__(root, num_classes, in_channels, image_size, **images)
        if not 1 <= tiles <= MOST:
            raise UserError(f"data.tiles is {tiles}: give a whole number from 1 to {MOST}")
        self.tiles = tiles

    @contextmanager
    def enlarged(self) -> Iterator[None]:
        """Pictures are decoded at their large size in here."""
        side, self.image_size = self.image_size, self.image_size * self.tiles
        try:
            yield
        finally:
            self.image_size = side

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage != "predict":
            raise UserError("LargePictures is for `dive predict`: train and test on whole pictures")
        if self.trainer is not None and not hasattr(self.trainer.lightning_module, "tile_overlap"):
            raise UserError("LargePictures: this detector does not look at tiles, vision/cells does: give ImageFolder")
        with self.enlarged():
            return super().load(stage)

    def _loader(self, split: str, shuffle: bool = False) -> TensorLoader:
        with self.enlarged():
            return super()._loader(split, shuffle)
