"""``predictions.csv`` and ``marked/``: what a detector found in the predict split, a row for each box, and the
pictures.
"""

import csv
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image, ImageDraw

from callbacks.ranks import gather
from common.data_protocol import data_attribute

COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#000075")


class DetectionFiles(Callback):
    """Writes the detections that ``predict_step`` returns, for each picture its ``boxes`` (n, 4) in fractions,
    ``scores`` and ``labels`` (n,).

    ``predictions.csv`` has a row for each box: the picture's name (``predict_names``) or number, the class, the
    score, and
    left, top, right and bottom in pixels of the picture as it is in its file, upright (``predict_picture``). A picture
    without boxes has one row with empty cells. ``marked/`` has the pictures with their boxes, as PNG.

    Args:
        min_score: Boxes with a lower score are left out.
        max_marked: The number of pictures that are drawn, the first of the split.
    """

    def __init__(self, min_score: float = 0.3, max_marked: int = 200) -> None:
        self.min_score, self.max_marked = min_score, max_marked
        self.found: list[dict[str, Any]] = []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        for picture in outputs:
            good = picture["scores"] >= self.min_score
            self.found.append({name: value[good].float().cpu() for name, value in picture.items()})

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        found, self.found = self.found, []
        ranks = gather(trainer, found)  # each has every world-th picture
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            count = sum(map(len, ranks))
            self.write(trainer, [ranks[i % len(ranks)][i // len(ranks)] for i in range(count)])

    def write(self, trainer: Trainer, found: list[dict[str, Any]]) -> None:
        folder = Path(trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        names = data_attribute(trainer, "predict_names") or [str(i) for i in range(len(found))]
        classes: list[str] | None = data_attribute(trainer, "class_names")
        with open(folder / "predictions.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "label", "score", "left", "top", "right", "bottom"])
            for row, (name, picture) in enumerate(zip(names, found, strict=False)):
                image, area = picture_of(trainer, row)
                boxes = in_pixels(picture["boxes"].numpy(), area)
                numbers = picture["labels"].int().tolist()
                labels = [classes[k] if classes and k < len(classes) else str(k) for k in numbers]
                scores = picture["scores"].tolist()
                for label, score, box in zip(labels, scores, boxes.tolist(), strict=True):
                    writer.writerow([name, label, f"{score:.4f}", *(f"{edge:.1f}" for edge in box)])
                if not labels:
                    writer.writerow([name, "", "", "", "", "", ""])
                if row < self.max_marked:
                    target = marked_path(folder / "marked", name)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    mark(image, boxes, labels, scores, numbers).save(target)
        total = sum(len(picture["scores"]) for picture in found)
        print(f"{total} boxes in {len(found)} pictures: {folder / 'predictions.csv'}, pictures in {folder / 'marked'}")


def picture_of(trainer: Trainer, row: int) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """A picture of the predict split and the part of it that the model saw: its file, or the tensor in memory."""
    from_file = data_attribute(trainer, "predict_picture")
    if from_file is not None:
        return from_file(row)
    x = data_attribute(trainer, "splits")["predict"][0][row]
    pixels = x.permute(1, 2, 0).numpy()
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).convert("RGB")
    return image, (0.0, 0.0, *map(float, image.size))  # type: ignore[return-value]


def in_pixels(boxes: np.ndarray, area: tuple[float, float, float, float]) -> np.ndarray:
    """Boxes (n, 4) in fractions of an area of a picture, in the picture's pixels."""
    left, top, right, bottom = area
    return boxes * np.array([right - left, bottom - top] * 2) + np.array([left, top] * 2)


def marked_path(folder: Path, name: str) -> Path:
    """Where a marked picture goes: in the sub-folders that its name has, never outside of the folder."""
    parts = [part for part in PurePosixPath(str(name)).parts if part not in ("/", "..", ".")]
    return folder.joinpath(*parts[:-1], f"{parts[-1]}.png")


def mark(
    image: Image.Image, boxes: np.ndarray, labels: list[str], scores: list[float], numbers: list[int]
) -> Image.Image:
    """Draws boxes (n, 4) in pixels, with their classes and scores; each class has a color."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    width = max(1, round(min(image.size) / 250))
    for box, label, score, number in zip(boxes.tolist(), labels, scores, numbers, strict=True):
        color = COLORS[number % len(COLORS)]
        draw.rectangle(box, outline=color, width=width)
        if min(image.size) >= 200:  # smaller ones have no room for words
            place = draw.textbbox((box[0], box[1]), text := f"{label} {score:.2f}")
            draw.rectangle(place, fill=color)
            draw.text((box[0], box[1]), text, fill="white")
    return image
