"""BCCD: 364 pictures of blood under a microscope, with boxes of red cells, white cells and platelets.

https://github.com/Shenggan/BCCD_Dataset, MIT License. 205 pictures train, 87 validate, 72 test, as published. Two of
its 4,888 boxes are a point: they are left out.
"""

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from common.messages import UserError
from datamodules.downloads import data_root
from datamodules.vision.voc_folder import VOCFolder
from datamodules.vision.watershed import counts_baseline

ADDRESS = "https://github.com/Shenggan/BCCD_Dataset"


class BCCD(VOCFolder):
    """Pictures (B, 3, image_size, image_size) in [0, 1], 640 x 480 pixels in their files.

    Args:
        num_classes, in_channels, image_size: Three classes, in color.
        **files: See ``ObjectFiles``.

    Raises:
        UserError: The folder is not there; the line says where it comes from.
    """

    own_path = ""  # not a person's own

    def __init__(self, num_classes: int = 3, in_channels: int = 3, image_size: int = 320, **files: Any) -> None:
        root = str(Path(data_root()) / "BCCD")
        super().__init__(root, num_classes, in_channels, image_size, skip_bad_boxes=True, **files)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if not (Path(self.root) / "ImageSets/Main/test.txt").is_file():
            raise UserError(
                f"{self.root} is not there: git clone {ADDRESS}, and put its folder BCCD there "
                "(DIVE_DATA sets the folder)"
            )
        if stage == "predict":
            items = self.read()["test"]
            self.predict_names = [os.path.relpath(item.path, self.root) for item in items]
            return {"predict": (self.decode([item.path for item in items]),)}
        return super().load(stage)

    def baselines(self) -> dict[str, dict[str, Any]]:
        """The mean counts of training, and counting by thresholds and distances to the edge, without learning."""
        return counts_baseline(self.splits, self.num_classes)
