"""The picture of a style transfer is written as it is."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from callbacks.style_files import StyleFiles


def written(tmp_path: Path, out: str = "") -> np.ndarray:
    trainer: Any = SimpleNamespace(
        default_root_dir=str(tmp_path), world_size=1, is_global_zero=True, fast_dev_run=False, datamodule=None
    )
    callback, picture = StyleFiles(out), torch.zeros(3, 4, 5)
    picture[0, 1, 2], picture[2, 3, 4] = 1.0, 0.5
    callback.on_predict_batch_end(trainer, None, [picture, picture], None, 0)  # type: ignore[arg-type]
    callback.on_predict_epoch_end(trainer, None)  # type: ignore[arg-type]
    with Image.open(out or tmp_path / "stylized.png") as file:
        return np.asarray(file)


def test_the_file_has_the_pixels(tmp_path: Path) -> None:
    pixels = written(tmp_path)
    assert pixels.shape == (4, 5, 3) and pixels[1, 2].tolist() == [255, 0, 0] and pixels[3, 4].tolist() == [0, 0, 128]
    assert int(pixels.astype(int).sum()) == 255 + 128


def test_a_file_of_any_name(tmp_path: Path) -> None:
    assert written(tmp_path, str(tmp_path / "mine.png")).shape == (4, 5, 3)
