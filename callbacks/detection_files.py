"""Predictions of a detector: what it found in the predict split, a row for each box, and the marked pictures."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Trainer
from PIL import Image, ImageDraw

from callbacks.prediction_files import PicturePredictions, folder_beside, picture_of, save
from common.data_protocol import data_attribute

COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#000075")


class DetectionFiles(PicturePredictions):
    """Writes the detections of each picture: ``boxes`` (n, 4) in fractions, ``scores`` and ``labels`` (n,).

    The file has a row for each box: the picture's name or number, the class, the score, and left, top, right and bottom
    in pixels of the picture as it is in its file, upright (``predict_picture``). A picture without boxes has one row
    with empty cells. The folder ``marked`` beside it has the pictures with their boxes, as PNG.

    Args:
        min_score: Boxes with a lower score are left out.
        max_marked: The number of pictures that are drawn, the first of the split.
        out: See ``PredictionFiles``.
    """

    def __init__(self, min_score: float = 0.3, max_marked: int = 200, out: str = "") -> None:
        super().__init__(out)
        self.min_score, self.max_marked = min_score, max_marked

    def entry(self, output: Any) -> dict[str, Any]:
        good = output["scores"] >= self.min_score
        return {name: value[good].float().cpu() for name, value in output.items()}

    def write(self, trainer: Trainer, file: Path, names: list[str], found: list[Any]) -> None:
        classes: list[str] | None = data_attribute(trainer, "class_names")
        marked = folder_beside(file, "marked")
        with open(file, "w", newline="") as table:
            writer = csv.writer(table)
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
                    save(mark(image, boxes, labels, scores, numbers), marked, name)
        total = sum(len(picture["scores"]) for picture in found)
        print(f"{total} boxes in {len(found)} pictures: {file}, pictures in {marked}")


def in_pixels(boxes: np.ndarray, area: tuple[float, float, float, float]) -> np.ndarray:
    """Boxes (n, 4) in fractions of an area of a picture, in the picture's pixels."""
    left, top, right, bottom = area
    return boxes * np.array([right - left, bottom - top] * 2) + np.array([left, top] * 2)


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
