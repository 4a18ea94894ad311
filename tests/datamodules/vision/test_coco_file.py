"""COCO's JSON: what is written is read, and one line for what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.vision.coco_file import COCOFile, read_coco, write_coco
from datamodules.vision.scenes import NAMES, draw_scenes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    images, _, rows = draw_scenes(10, "train")
    rows[0][1][0] = True  # a crowd
    write_coco(tmp_path / "train.json", tmp_path / "photos", images, rows, NAMES)
    return tmp_path / "train.json"


def test_what_was_written_is_read(file: Path) -> None:
    images, _, rows = draw_scenes(10, "train")
    data = COCOFile(str(file), str(file.parent / "photos"), val_fraction=0.2, test_fraction=0.2)
    items = read_coco(str(file), str(file.parent / "photos"))
    data.class_names = NAMES
    x, boxes, ignored, labels = data.load_split(items)
    assert torch.equal(x, images) and ignored.sum() == 1 and bool(ignored[0, 0])
    for k, (box, _, label) in enumerate(rows):
        assert labels[k][labels[k] >= 0].tolist() == label.tolist()
        torch.testing.assert_close(boxes[k][labels[k] >= 0], torch.from_numpy(box), atol=1e-5, rtol=0)


def test_pycocotools_reads_what_was_written(file: Path) -> None:
    from pycocotools.coco import COCO

    coco = COCO(str(file))
    assert len(coco.getImgIds()) == 10 and [c["name"] for c in coco.loadCats(coco.getCatIds())] == NAMES


def test_files_of_their_own_for_validation_and_test(file: Path) -> None:
    root = str(file.parent / "photos")
    data = COCOFile(str(file), root, val_annotations=str(file), test_annotations=str(file))
    data.setup("fit")
    assert [len(data.splits[name][0]) for name in ("train", "val")] == [10, 10]


def change(content: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    return content | {"annotations": [content["annotations"][0] | {key: value}]}


def test_faults_are_one_line(file: Path) -> None:
    good = json.loads(file.read_text())
    for content, why in (
        (change(good, "image_id", 99), "annotation 1 is of image 99"),
        (change(good, "category_id", 99), "annotation 1 is of category 99"),
        (change(good, "bbox", [1, 2, 3]), "is not COCO's JSON"),
        (change(good, "bbox", "x"), "is not COCO's JSON"),
        (good | {"images": good["images"] * 2}, "two images have the id 0"),
        (good | {"categories": good["categories"][:1] * 2}, "two categories have the id 1"),
        (
            good | {"images": [{**image, "file_name": "a.png"} for image in good["images"]]},
            r"two images have the file_name 'a.png' \(id 0 and 1\)",
        ),
        ({"images": []}, "no 'categories'"),
        ([], "is not COCO's JSON"),
        (good | {"images": [], "annotations": []}, "lists no images"),
        (
            good | {"images": [good["images"][0] | {"file_name": "gone.png"}], "annotations": []},
            "gone.png, which is not there",
        ),
    ):
        file.write_text(json.dumps(content))
        with pytest.raises(UserError, match=why) as error:
            read_coco(str(file), str(file.parent / "photos"))
        assert "train.json" in str(error.value) and "\n" not in str(error.value)
    file.write_text("{")
    with pytest.raises(UserError, match=r"is not COCO's JSON"):
        read_coco(str(file), "")
    with pytest.raises(UserError, match=r"nowhere.json cannot be read"):
        COCOFile("nowhere.json")
    with pytest.raises(UserError, match=r"data.annotations is not given"):
        COCOFile()
