"""Predictions of a segmenter: the classes of the pixels of the predict split as files, their fractions as a table."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Trainer
from matplotlib import colormaps
from PIL import Image

from callbacks.prediction_files import PicturePredictions, folder_beside, picture_of, save
from common.data_protocol import data_attribute

OUTSIDE = 255  # pixels of a file that the model did not see


class MaskFiles(PicturePredictions):
    """Writes the classes (H, W) of each picture.

    The file has a row for each picture and the fraction of its pixels that each class has. Beside it, the folder
    ``masks`` has the classes as PNG with a palette, as large as the picture in its file, 255 where the model saw
    nothing of it; ``marked`` has the pictures under their colors.

    Args:
        max_pictures: The number of pictures that are written, the first of the split.
        out: See ``PredictionFiles``.
    """

    def __init__(self, max_pictures: int = 1000, out: str = "") -> None:
        super().__init__(out)
        self.max_pictures = max_pictures

    def entry(self, output: Any) -> np.ndarray:
        return output.cpu().numpy()

    def write(self, trainer: Trainer, file: Path, names: list[str], found: list[Any]) -> None:
        classes: list[str] | None = data_attribute(trainer, "class_names")
        count = len(classes) if classes else 1 + max(int(mask.max()) for mask in found)
        folders = {kind: folder_beside(file, kind) for kind in ("masks", "marked")}
        with open(file, "w", newline="") as table:
            writer = csv.writer(table)
            writer.writerow(["name", *(f"fraction({name})" for name in classes or range(count))])
            for row, (name, mask) in enumerate(zip(names, found, strict=False)):
                fractions = np.bincount(mask.ravel(), minlength=count) / mask.size
                writer.writerow([name, *(f"{part:.6g}" for part in fractions)])
                if row < self.max_pictures:
                    image, area = picture_of(trainer, row)
                    whole = in_picture(mask, image.size, area)
                    save(with_palette(whole), folders["masks"], name)
                    save(overlaid(image, whole), folders["marked"], name)
        print(f"{len(found)} masks in {folders['masks']}, fractions in {file}")


def in_picture(mask: np.ndarray, size: tuple[int, int], area: tuple[float, float, float, float]) -> np.ndarray:
    """A mask as large as its picture (height, width): resized without interpolation into the area that the model
    saw.
    """
    left, top, right, bottom = (round(edge) for edge in area)
    part = Image.fromarray(mask).resize((right - left, bottom - top), Image.Resampling.NEAREST)
    whole = np.full((size[1], size[0]), OUTSIDE, np.uint8)
    whole[top:bottom, left:right] = np.asarray(part)
    return whole


def palette() -> np.ndarray:
    """A color (256, 3) uint8 of each class: black, then those of matplotlib's tab20, again and again; white at 255."""
    colors = (np.array(colormaps["tab20"](np.arange(255) % 20))[:, :3] * 255).astype(np.uint8)
    return np.concatenate([np.zeros((1, 3), np.uint8), colors[:254], np.full((1, 3), 255, np.uint8)])


def with_palette(mask: np.ndarray) -> Image.Image:
    image = Image.fromarray(mask)
    image.putpalette(palette().ravel().tolist())
    return image


def overlaid(image: Image.Image, mask: np.ndarray) -> Image.Image:
    """The picture, half covered by the colors of its classes except the first."""
    pixels = np.asarray(image.convert("RGB")).astype(np.float32)
    colored = (mask > 0) & (mask != OUTSIDE)
    pixels[colored] = (pixels[colored] + palette()[mask[colored]]) / 2
    return Image.fromarray(pixels.astype(np.uint8))
