"""Imagenette: ten classes of ImageNet that are easy to tell apart, 9,469 photographs to train and 3,925 to test.

Howard 2019, https://github.com/fastai/imagenette, version 2, with the short side at 160 pixels. It has the layout
of ImageNet, and of any folder of your own.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from datamodules.downloads import data_root, fetch, unpack
from datamodules.vision.class_folders import Splits
from datamodules.vision.image_folder import ImageFolder

URL = "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz"
SHA256 = "64d0c4859f35a461889e0147755a999a48b49bf38a7e0f9bd27003f10db02fe5"
FOLDER = "imagenette2-160"
NAMES = {  # the folders are named by WordNet ids
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


class Imagenette(ImageFolder):
    """Photographs (B, 3, image_size, image_size) in [0, 1], the largest centered square, y (B,) the class.

    The published ``val`` folder is the test split, as in published results; validation is a fraction of ``train``.

    Args:
        num_classes, in_channels, image_size: Ten classes in color; 128 pixels, a size of the published leaderboard.
        val_fraction: Fraction of the training photographs of every class that is used for validation.
        **folder: See ``ImageFolder``.

    Raises:
        UserError: The archive cannot be downloaded, or the folder is not as published.
    """

    own_path = ""  # not a person's own

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 128,
        val_fraction: float = 0.1,
        **folder: Any,
    ) -> None:
        root = str(Path(data_root()) / FOLDER)
        super().__init__(
            root, num_classes, in_channels, image_size, val_fraction=val_fraction, test_fraction=0.0, **folder
        )
        self.class_names = list(NAMES.values())

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        folder = Path(self.root)
        if not all((folder / split / name).is_dir() for split in ("train", "val") for name in NAMES):
            unpack(fetch(URL, SHA256, f"{FOLDER}.tgz"), folder.parent)
        if stage == "predict":
            return {"predict": super().load("test")["test"][:1]}
        return super().load(stage)

    def find_splits(self) -> Splits:
        splits = super().find_splits()
        return {
            ours: {NAMES.get(name, name): files for name, files in splits.get(theirs, {}).items()}
            for ours, theirs in (("train", "train"), ("test", "val"))
        }
