"""The picture of a style transfer as a file."""

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Trainer
from PIL import Image

from callbacks.prediction_files import PicturePredictions


class StyleFiles(PicturePredictions):
    """Writes the picture (3, S, S) that ``predict_step`` returns as PNG: ``stylized.png``, or the file of ``--out``.

    Args:
        out: See ``PredictionFiles``.
    """

    def entry(self, output: Any) -> np.ndarray:
        return (output.float().cpu() * 255 + 0.5).byte().permute(1, 2, 0).numpy()

    def write(self, trainer: Trainer, file: Path, names: list[str], found: list[Any]) -> None:
        """Processes have the same picture: the first is written."""
        file = file if self.out else file.with_name(file.name.replace("predictions", "stylized")).with_suffix(".png")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(found[0]).save(file)
        print(f"the picture is {file}")
