"""predictions.csv and marked pictures: boxes in the pixels of the file, whatever part of it the model saw."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from callbacks.detection_files import DetectionFiles, reduced
from datamodules.vision.image_folder import ImageFolder


def found(*scores: float) -> dict[str, torch.Tensor]:
    n = len(scores)
    boxes = torch.tensor([[0.25, 0.5, 0.75, 1.0]] * n).reshape(n, 4)
    return {"boxes": boxes, "scores": torch.tensor(scores), "labels": torch.ones(n)}


def run(callback: DetectionFiles, folder: Path, data: Any, outputs: list[Any]) -> list[dict[str, str]]:
    trainer: Any = SimpleNamespace(
        world_size=1, is_global_zero=True, fast_dev_run=False, default_root_dir=str(folder), datamodule=data
    )
    callback.on_predict_batch_end(trainer, None, outputs, None, 0)  # type: ignore[arg-type]
    callback.on_predict_epoch_end(trainer, None)  # type: ignore[arg-type]
    return list(csv.DictReader((folder / "predictions.csv").open()))


def test_boxes_are_in_pixels_of_the_file(tmp_path: Path) -> None:
    """A picture of 400 x 200 pixels: the model saw the square from 100 to 300."""
    (tmp_path / "photos/sub").mkdir(parents=True)
    Image.new("RGB", (400, 200)).save(tmp_path / "photos/a.png")
    turned = Image.new("RGB", (200, 400))
    turned.getexif()[274] = 6  # lies on its side: 400 x 200 when it is upright
    turned.save(tmp_path / "photos/sub/b.jpg", exif=turned.getexif())
    data = ImageFolder(str(tmp_path / "photos"), num_classes=2, in_channels=3, image_size=20)
    data.setup("predict")
    data.class_names = ["cat", "dog"]
    rows = run(DetectionFiles(min_score=0.4), tmp_path / "run", data, [found(0.9, 0.3), found(0.5)])
    assert [row["name"] for row in rows] == ["a.png", "sub/b.jpg"]
    for row in rows:
        assert row["label"] == "dog"
        assert [float(row[side]) for side in ("left", "top", "right", "bottom")] == [150, 100, 250, 200]
    marked = Image.open(tmp_path / "run/marked/a.png.png")
    assert marked.size == (400, 200) and marked.getpixel((150, 150)) != (0, 0, 0) != marked.getpixel((250, 150))
    assert marked.getpixel((200, 50)) == (0, 0, 0)
    assert Image.open(tmp_path / "run/marked/sub/b.jpg.png").size == (400, 200)


def test_pictures_in_memory_and_pictures_without_boxes(tmp_path: Path) -> None:
    x = torch.zeros(2, 1, 12, 12, dtype=torch.uint8)
    data = SimpleNamespace(splits={"predict": (x,)}, predict_names=None, class_names=None)
    rows = run(DetectionFiles(max_marked=1), tmp_path, data, [found(), found(0.8)])
    assert rows[0] == {"name": "0", "label": "", "score": "", "left": "", "top": "", "right": "", "bottom": ""}
    assert rows[1]["label"] == "1" and float(rows[1]["right"]) == 9
    assert [path.name for path in (tmp_path / "marked").iterdir()] == ["0.png"]


def test_boxes_of_each_picture_are_counted_by_class(tmp_path: Path) -> None:
    x = torch.zeros(3, 3, 12, 12, dtype=torch.uint8)
    data = SimpleNamespace(splits={"predict": (x,)}, predict_names=["a", "b", "c"], class_names=["red", "white"])
    run(DetectionFiles(min_score=0.4, counts=True), tmp_path, data, [found(0.9, 0.8, 0.3), found(), found(0.5)])
    rows = list(csv.reader((tmp_path / "counts.csv").open()))
    assert rows == [["name", "red", "white", "total"], ["a", "0", "2", "2"], ["b", "0", "0", "0"], ["c", "0", "1", "1"]]


def test_a_scan_is_marked_at_a_size_that_can_be_written() -> None:
    image, boxes = reduced(Image.new("RGB", (4800, 1000)), np.array([[480.0, 100, 960, 200]]))
    assert image.size == (2400, 500) and boxes.tolist() == [[240, 50, 480, 100]]
    small = Image.new("RGB", (20, 10))
    assert reduced(small, boxes)[0] is small
