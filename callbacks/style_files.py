"""The picture of a style transfer as a file."""

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Trainer
from PIL import Image

from callbacks.prediction_files import PicturePredictions, folder_beside, save


class StyleFiles(PicturePredictions):
    """Writes the picture (3, S, S) that ``predict_step`` returns as PNG: ``stylized.png``, or the file of ``--out``.

    Args:
        out: See ``PredictionFiles``.
        folder: Every row has a picture of its own: all are written, into ``stylized/`` beside the file.
    """

    def __init__(self, out: str = "", folder: bool = False) -> None:
        super().__init__(out)
        self.folder = folder

    def entry(self, output: Any) -> np.ndarray:
        return (output.float().cpu() * 255 + 0.5).byte().permute(1, 2, 0).numpy()

    def write(self, trainer: Trainer, file: Path, names: list[str], found: list[Any]) -> None:
        """Without ``folder`` processes have the same picture: the first is written."""
        if self.folder:
            folder = folder_beside(file, "stylized")
            for name, pixels in zip(names, found, strict=False):
                save(Image.fromarray(pixels), folder, name)
            print(f"{len(found)} pictures in {folder}")
            return
        file = file if self.out else file.with_name(file.name.replace("predictions", "stylized")).with_suffix(".png")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(found[0]).save(file)
        print(f"the picture is {file}")
