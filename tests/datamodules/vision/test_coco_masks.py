"""COCO's segmentations: polygons and run lengths become the same instances, turned with their pictures; bad ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from common.messages import UserError
from datamodules.vision.coco_file import write_coco
from datamodules.vision.coco_masks import COCOMasks
from datamodules.vision.scenes import NAMES, draw_instances


def written(folder: Path, kind: str, count: int = 6) -> tuple[str, torch.Tensor]:
    """Scenes as COCO's JSON with run lengths, packed or as numbers; and their instances."""
    from pycocotools.mask import encode

    images, instances, rows = draw_instances(count, "train")
    file = folder / "boxes.json"
    write_coco(file, folder / "photos", images, rows, NAMES)
    content: dict[str, Any] = json.loads(file.read_text())
    place: dict[int, int] = {}
    for thing in content["annotations"]:
        number = place[thing["image_id"]] = place.get(thing["image_id"], 0) + 1
        mask = (instances[thing["image_id"]] == number).numpy().astype(np.uint8)
        runs = encode(np.asfortranarray(mask))
        flat = mask.ravel(order="F")
        ends = np.flatnonzero(np.diff(flat)) + 1
        numbers = np.diff([0, *ends, len(flat)]).tolist()
        packed = {"size": runs["size"], "counts": runs["counts"].decode()}
        unpacked = {"size": runs["size"], "counts": [0] * int(flat[0]) + numbers}
        thing["segmentation"] = packed if kind == "packed" else unpacked
    file.write_text(json.dumps(content))
    return str(file), instances


def load(folder: Path, file: str, **arguments: Any) -> COCOMasks:
    return COCOMasks(file, str(folder / "photos"), file, file, **arguments)


@pytest.mark.parametrize("kind", ["packed", "numbers"])
def test_instances_are_those_that_were_written(tmp_path: Path, kind: str) -> None:
    file, instances = written(tmp_path, kind)
    data = load(tmp_path, file, flip=True, batch_size=6)
    data.setup("fit")
    assert data.image_size == 96 and torch.equal(data.splits["train"][4], instances)
    x, boxes, _, labels, shown = data.augment(data.transform(data.splits["train"]))
    assert x.shape == (6, 3, 96, 96) and boxes.shape == (*labels.shape, 4) and shown.shape == (6, 96, 96)


def polygon_file(folder: Path, segmentation: Any, orientation: int = 1) -> str:
    (folder / "photos").mkdir()
    picture = Image.new("RGB", (40, 20))
    picture.getexif()[274] = orientation
    picture.save(folder / "photos/a.jpg", exif=picture.getexif())
    thing = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 20, 10], "segmentation": segmentation}
    images = [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 20}]
    content = {"images": images, "annotations": [thing], "categories": [{"id": 1, "name": "cat"}]}
    (folder / "boxes.json").write_text(json.dumps(content))
    return str(folder / "boxes.json")


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1))])
def test_a_polygon_is_turned_with_its_picture(tmp_path: Path, orientation: int, corner: tuple[int, int]) -> None:
    file = polygon_file(tmp_path, [[0, 0, 20, 0, 20, 10, 0, 10]], orientation)
    data = load(tmp_path, file, image_size=20)
    data.setup("test")
    _, boxes, _, _, shown = data.splits["test"]
    quarter = torch.zeros(20, 20)
    quarter[10 * corner[0] : 10 * corner[0] + 10, 10 * corner[1] : 10 * corner[1] + 10] = 1
    assert (shown[0] != quarter).float().mean() < 0.03
    assert (boxes[0, 0] * 20 - torch.tensor([10.0 * corner[1], 10 * corner[0]]).repeat(2)).round().tolist() == [
        0,
        0,
        10,
        10,
    ]


READ = r"boxes.json: object 1 \(cat\) of a.jpg has a segmentation that cannot be read"


@pytest.mark.parametrize(
    ("segmentation", "says"),
    [
        ([], "annotation 1 has no segmentation: train vision/faster_rcnn"),
        ([[1]], rf"{READ} \(a polygon has 1 numbers\): give polygons"),
        ([[0, 0, 20, 0, "x", 10]], rf"{READ} \(a polygon has something that is not a number"),
        ([0, 0, 20, 0, 20, 10], rf"{READ} \(a polygon has not numbers but 0\)"),
        ({"size": [40, 20], "counts": "0"}, rf"{READ} \(its size is \[40, 20\], the picture's \[20, 40\]\)"),
        ({"size": [20, 40], "counts": [0, 9]}, rf"{READ} \(its counts do not add up"),
        ({"size": [20, 40], "counts": None}, rf"{READ} \(its counts are neither"),
        ("0 0 9 9", rf"{READ} \(it is '0 0 9 9'\)"),
        ([[30, 5, 60, 5, 60, 15]], r"has a polygon from \(30, 5\) to \(60, 15\), outside of the picture of 40 x 20"),
    ],
)
def test_a_bad_segmentation_is_one_line(tmp_path: Path, segmentation: Any, says: str) -> None:
    data = load(tmp_path, polygon_file(tmp_path, segmentation), image_size=20)
    with pytest.raises(UserError, match=says):
        data.setup("test")


def test_an_object_that_leaves_its_picture_is_left_out_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(polygon_file(tmp_path, [[0, 0, 20, 0, 20, 10, 0, 10]]))
    content = json.loads(file.read_text())
    content["annotations"].append({**content["annotations"][0], "segmentation": [[900, 900, 920, 900, 920, 910]]})
    file.write_text(json.dumps(content))
    data = load(tmp_path, str(file), image_size=20, skip_bad_boxes=True)
    data.setup("test")
    assert data.splits["test"][1].shape[1] == 1 and data.splits["test"][4].max() == 1
    assert "1 polygons leave their pictures; their objects are left out" in capsys.readouterr().err
