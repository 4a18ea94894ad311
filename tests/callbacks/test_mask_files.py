"""Masks as files: as large as the picture, void where the model saw nothing, fractions of the classes."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from callbacks.mask_files import MaskFiles, in_picture, palette
from datamodules.vision.image_folder import ImageFolder


def run(folder: Path, data: Any, outputs: list[Any]) -> list[dict[str, str]]:
    trainer: Any = SimpleNamespace(
        world_size=1, is_global_zero=True, fast_dev_run=False, default_root_dir=str(folder), datamodule=data
    )
    callback = MaskFiles()
    callback.on_predict_batch_end(trainer, None, outputs, None, 0)  # type: ignore[arg-type]
    callback.on_predict_epoch_end(trainer, None)  # type: ignore[arg-type]
    return list(csv.DictReader((folder / "predictions.csv").open()))


def test_a_mask_is_as_large_as_its_picture(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 20), "gray").save(tmp_path / "photos/a.jpg")
    data = ImageFolder(str(tmp_path / "photos"), num_classes=2, in_channels=3, image_size=4)
    data.setup("predict")
    data.class_names = ["ground", "leaf"]
    mask = torch.zeros(4, 4, dtype=torch.uint8)
    mask[:2, :2] = 1
    (row,) = run(tmp_path / "run", data, [mask])
    assert row == {"name": "a.jpg", "fraction(ground)": "0.75", "fraction(leaf)": "0.25"}
    written = np.asarray(Image.open(tmp_path / "run/masks/a.jpg.png"))
    assert written.shape == (20, 40) and (written[:, :10] == 255).all() and (written[:, 30:] == 255).all()
    assert (written[:10, 10:20] == 1).all() and (written[10:, 10:30] == 0).all()
    marked = np.asarray(Image.open(tmp_path / "run/marked/a.jpg.png")).astype(int)
    assert abs(marked[5, 15] - (128 + palette()[1].astype(int)) / 2).max() < 3 and abs(marked[15, 15] - 128).max() < 3


def test_pictures_in_memory(tmp_path: Path) -> None:
    data = SimpleNamespace(splits={"predict": (torch.zeros(2, 3, 4, 4, dtype=torch.uint8),)}, predict_names=None)
    rows = run(tmp_path, data, [torch.full((4, 4), 2, dtype=torch.uint8), torch.zeros(4, 4, dtype=torch.uint8)])
    assert [row["fraction(2)"] for row in rows] == ["1", "0"] and (tmp_path / "masks/1.png").is_file()


def test_resizing_a_mask_makes_no_new_classes() -> None:
    mask = np.array([[0, 5], [5, 9]], np.uint8)
    assert set(np.unique(in_picture(mask, (7, 5), (0, 0, 7, 5)))) == {0, 5, 9}
