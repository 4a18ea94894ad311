"""Sprites of 721 Pokemon, a folder for each, as D2L 20.2 has them, for models that make pictures.

The book's archive has 40,597 sprites; with one sprite of each (PokeAPI's) it is a small set of the same layout. It is
not downloaded by itself: unpack it into ``$DIVE_DATA``. Transparent pixels are white
(``common/pictures.py``).
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from common.messages import UserError
from datamodules.downloads import data_root
from datamodules.vision.image_folder import ImageFolder

ADDRESS = "http://d2l-data.s3-accelerate.amazonaws.com/pokemon.zip"
FOLDER = "pokemon"


class Pokemon(ImageFolder):
    """Sprites (B, 3, image_size, image_size) in [0, 1]; y (B,) is 0: they are not told apart by species.

    Args:
        num_classes, in_channels, image_size: One class, in color; 64 pixels, the book's.
        val_fraction, test_fraction: Of all sprites, of whatever species.
        **folder: See ``ImageFolder``.

    Raises:
        UserError: ``$DIVE_DATA`` has no such folder.
    """

    own_path = ""  # not a person's own

    def __init__(
        self,
        num_classes: int = 1,
        in_channels: int = 3,
        image_size: int = 64,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        **folder: Any,
    ) -> None:
        root = str(Path(data_root()) / FOLDER)
        super().__init__(
            root, num_classes, in_channels, image_size, val_fraction, test_fraction, unlabeled=True, **folder
        )

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if not Path(self.root).is_dir():
            raise UserError(f"no {self.root}: unpack {ADDRESS} into {Path(self.root).parent}")
        if stage == "predict":
            return {"predict": super().load("test")["test"][:1]}
        return super().load(stage)
