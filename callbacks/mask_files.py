"""``masks/``, ``marked/`` and ``predictions.csv``: the classes that a segmenter gives the pixels of the predict
split.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib import colormaps
from PIL import Image

from callbacks.detection_files import marked_path, picture_of
from callbacks.ranks import gather
from common.data_protocol import data_attribute

OUTSIDE = 255  # pixels of a file that the model did not see


class MaskFiles(Callback):
    """Writes the classes (H, W) of each picture that ``predict_step`` returns.

    ``masks/`` has them as PNG with a palette, as large as the picture in its file, 255 where the model saw nothing of
    it;
    ``marked/`` has the pictures under their colors; ``predictions.csv`` has a row for each picture and the fraction of
    its pixels that each class has.

    Args:
        max_pictures: The number of pictures that are written, the first of the split.
    """

    def __init__(self, max_pictures: int = 1000) -> None:
        self.max_pictures = max_pictures
        self.found: list[np.ndarray] = []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.found += [picture.cpu().numpy() for picture in outputs]

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        found, self.found = self.found, []
        ranks = gather(trainer, found)  # each has every world-th picture
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            count = sum(map(len, ranks))
            self.write(trainer, [ranks[i % len(ranks)][i // len(ranks)] for i in range(count)])

    def write(self, trainer: Trainer, found: list[np.ndarray]) -> None:
        folder = Path(trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        names = data_attribute(trainer, "predict_names") or [str(i) for i in range(len(found))]
        classes: list[str] | None = data_attribute(trainer, "class_names")
        count = len(classes) if classes else 1 + max(int(mask.max()) for mask in found)
        with open(folder / "predictions.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["name", *(f"fraction({name})" for name in classes or range(count))])
            for row, (name, mask) in enumerate(zip(names, found, strict=False)):
                fractions = np.bincount(mask.ravel(), minlength=count) / mask.size
                writer.writerow([name, *(f"{part:.6g}" for part in fractions)])
                if row < self.max_pictures:
                    image, area = picture_of(trainer, row)
                    whole = in_picture(mask, image.size, area)
                    for kind, picture in (("masks", with_palette(whole)), ("marked", overlaid(image, whole))):
                        target = marked_path(folder / kind, name)
                        target.parent.mkdir(parents=True, exist_ok=True)
                        picture.save(target)
        print(f"{len(found)} masks in {folder / 'masks'}, fractions in {folder / 'predictions.csv'}")


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
