"""Predictions of a detector that finds masks: which pixels of each picture belong to which of its boxes."""

import json
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from lightning.pytorch import Trainer
from PIL import Image

from callbacks.prediction_files import PicturePredictions, picture_of, save
from common.data_protocol import data_attribute
from common.messages import UserError


class InstanceFiles(PicturePredictions):
    """Writes the masks of each picture: ``boxes`` (n, 4) in fractions, ``scores`` and ``labels`` (n,), and ``masks``
    (n, M, M), probabilities in the boxes; from a half on a pixel belongs to the object.

    ``png``: the folder ``masks`` has an image of each picture, as large as its file, in which a pixel is k where it
    shows the k-th box that ``predictions.csv`` has of the picture, the first on top, else 0. ``rle``: ``masks.json``
    has an entry for each box as in COCO's results, with the mask as run lengths.

    Args:
        kind: What is written: ``png`` or ``rle``.
        min_score: Objects with a lower score are left out; as of ``DetectionFiles``.
        out: See ``PredictionFiles``; the masks lie beside it.
    """

    def __init__(self, kind: Literal["png", "rle"] = "png", min_score: float = 0.3, out: str = "") -> None:
        super().__init__(out)
        self.kind, self.min_score = kind, min_score

    def path(self, trainer: Trainer) -> Path:
        """The folder or the file to write; one that is there stays."""
        given = Path(self.out) if self.out else Path(trainer.default_root_dir) / "predictions.csv"
        ending = ".json" if self.kind == "rle" else ""
        stem = "masks" if given.stem == "predictions" else f"{given.stem}_masks"
        path = given.with_name(stem + ending)
        return path.with_name(f"{stem}_{time.strftime('%Y-%m-%d_%H-%M-%S')}{ending}") if path.exists() else path

    def entry(self, output: Any) -> dict[str, Any]:
        if "masks" not in output:
            raise UserError("InstanceFiles: this model finds boxes without masks: vision/mask_rcnn has them")
        good = output["scores"] >= self.min_score
        return {name: value[good].float().cpu() for name, value in output.items()}

    def write(self, trainer: Trainer, file: Path, names: list[str], found: list[Any]) -> None:
        classes: list[str] | None = data_attribute(trainer, "class_names")
        entries: list[dict[str, Any]] = []
        for row, (name, picture) in enumerate(zip(names, found, strict=False)):
            image, area = picture_of(trainer, row)
            boxes, masks = in_pixels(picture["boxes"].numpy(), area), picture["masks"].numpy()
            if self.kind == "png":
                save(instance_map(masks, boxes, image.size), file, name)
                continue
            labels = [classes[k] if classes and k < len(classes) else str(k) for k in picture["labels"].int().tolist()]
            entries += in_run_lengths(name, masks, boxes, labels, picture["scores"].tolist(), image.size)
        if self.kind == "rle":
            file.write_text(json.dumps(entries))
        print(f"masks of {len(found)} pictures: {file}")


def in_pixels(boxes: np.ndarray, area: tuple[float, float, float, float]) -> np.ndarray:
    """Boxes (n, 4) in fractions of an area of a picture, in the picture's pixels."""
    left, top, right, bottom = area
    return boxes * np.array([right - left, bottom - top] * 2) + np.array([left, top] * 2)


def placed(mask: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> tuple[tuple[int, int], np.ndarray]:
    """Where an object is: the left and top of its box, rounded and inside of the picture, and which pixels (h, w) from
    there on show it.

    Args:
        mask: (M, M), probabilities in the box.
        box: (4,) in pixels.
        size: Width and height of the picture.
    """
    left, top, right, bottom = np.floor(box + 0.5).astype(int)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    whole = Image.fromarray(mask.astype(np.float32)).resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    inside = np.asarray(whole)[max(0, -top) : max(0, size[1] - top), max(0, -left) : max(0, size[0] - left)]
    return (max(0, left), max(0, top)), inside >= 0.5


def instance_map(masks: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """A picture in which a pixel is k where it shows the k-th object, the first on top, else 0; 16 bits from 256 on.

    Args:
        masks: (n, M, M), probabilities in the boxes.
        boxes: (n, 4) in pixels.
        size: Width and height of the picture.
    """
    whole = np.zeros((size[1], size[0]), np.uint8 if len(masks) < 256 else np.uint16)
    for number in reversed(range(len(masks))):
        (left, top), shown = placed(masks[number], boxes[number], size)
        whole[top : top + shown.shape[0], left : left + shown.shape[1]][shown] = number + 1
    return Image.fromarray(whole)


def in_run_lengths(
    name: str, masks: np.ndarray, boxes: np.ndarray, labels: list[str], scores: list[float], size: tuple[int, int]
) -> list[dict[str, Any]]:
    """An entry for each object of a picture, as in COCO's results: ``bbox`` is left, top, width and height in pixels,
    ``segmentation`` the mask of the whole picture, which ``pycocotools.mask.decode`` reads.
    """
    from pycocotools.mask import encode

    entries = []
    for mask, box, label, score in zip(masks, boxes, labels, scores, strict=True):
        whole = np.zeros((size[1], size[0]), np.uint8, order="F")
        (left, top), shown = placed(mask, box, size)
        whole[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
        runs = encode(whole)
        edges = [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]
        entries.append(
            {
                "image": name,
                "category": label,
                "score": round(score, 4),
                "bbox": [round(edge, 1) for edge in edges],
                "segmentation": {"size": list(runs["size"]), "counts": runs["counts"].decode()},
            }
        )
    return entries
