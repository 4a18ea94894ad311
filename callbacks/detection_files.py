"""Predictions of a detector: what it found in the predict split, a row for each box, and the marked pictures."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Trainer
from PIL import Image, ImageColor, ImageDraw

from callbacks.instance_files import in_pixels, instance_map
from callbacks.prediction_files import PicturePredictions, folder_beside, picture_of, save
from common.data_protocol import data_attribute

COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#000075")
LARGEST_MARKED = 2400  # pixels: a scan of 100 megapixels would take a minute to be written as PNG


class DetectionFiles(PicturePredictions):
    """Writes the detections of each picture: ``boxes`` (n, 4) in fractions, ``scores`` and ``labels`` (n,).

    The file has a row for each box: the picture's name or number, the class, the score, and left, top, right and bottom
    in pixels of the picture as it is in its file, upright (``predict_picture``). A picture without boxes has one row
    with empty cells. The folder ``marked`` beside it has the pictures with their boxes, as PNG.

    Of a model that finds masks too, ``masks`` (n, M, M) in the boxes, the marked pictures show them, half covered.

    With ``counts`` there is a second file, ``counts.csv``: a row for each picture, a column for each class, and their
    sum.

    Args:
        min_score: Boxes with a lower score are left out.
        counts: Whether the boxes of each picture are counted. A model that knows from which score on a box counts
            returns only such boxes: leave ``min_score`` at 0 then.
        max_marked: The number of pictures that are drawn, the first of the split.
        out: See ``PredictionFiles``.
    """

    def __init__(self, min_score: float = 0.3, max_marked: int = 200, counts: bool = False, out: str = "") -> None:
        super().__init__(out)
        self.min_score, self.max_marked, self.counts = min_score, max_marked, counts

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
                    image, boxes = reduced(image, boxes)
                    if "masks" in picture:
                        image = tinted(image, instance_map(picture["masks"].numpy(), boxes, image.size), numbers)
                    save(mark(image, boxes, labels, scores, numbers), marked, name)
        total = sum(len(picture["scores"]) for picture in found)
        print(f"{total} boxes in {len(found)} pictures: {file}, pictures in {marked}")
        if self.counts:
            counts = folder_beside(file, "counts").with_suffix(".csv")
            write_counts(counts, names, [picture["labels"].int().tolist() for picture in found], classes)
            print(f"counts: {counts}")


def write_counts(file: Path, names: list[str], found: list[list[int]], classes: list[str] | None) -> None:
    """Writes how many boxes of each class there are, a row for each picture."""
    kinds = list(classes or map(str, range(1 + max(map(max, filter(None, found)), default=0))))
    with open(file, "w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["name", *kinds, "total"])
        for name, labels in zip(names, found, strict=False):
            writer.writerow([name, *(labels.count(k) for k in range(len(kinds))), len(labels)])


def reduced(image: Image.Image, boxes: np.ndarray) -> tuple[Image.Image, np.ndarray]:
    """A picture of at most ``LARGEST_MARKED`` pixels in its longer side, and boxes (n, 4) in its pixels."""
    factor = min(1.0, LARGEST_MARKED / max(image.size))
    if factor == 1.0:
        return image, boxes
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0), boxes * np.array(
        [size[0] / image.width, size[1] / image.height] * 2
    )


def tinted(image: Image.Image, instances: Image.Image, numbers: list[int]) -> Image.Image:
    """The picture, its objects half covered by the colors of their classes; ``instances`` as of ``instance_map``."""
    colors = np.array([(0, 0, 0), *(ImageColor.getrgb(COLORS[number % len(COLORS)]) for number in numbers)])
    pixels, shown = np.array(image.convert("RGB")), np.asarray(instances)
    pixels[shown > 0] = (pixels[shown > 0] + colors[shown[shown > 0]]) // 2
    return Image.fromarray(pixels)


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
