"""COCO's JSON: what is written is read, and one line for what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.vision.coco_file import COCOFile, read_coco, write_coco
from datamodules.vision.scenes import NAMES, draw_scenes
from tests.datamodules.test_run_file import rows


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


def test_another_file_is_tested_whole_and_a_changed_one_is_refused(file: Path) -> None:
    def of(path: Path, **files: str) -> COCOFile:
        return COCOFile(str(path), str(path.parent / "photos"), num_classes=6, in_channels=3, image_size=48, **files)

    images, _, objects = draw_scenes(7, "test")
    other = file.parent / "other.json"
    write_coco(other, file.parent / "photos", images, objects, NAMES)
    data = of(file)
    data.class_names = NAMES
    assert rows(data, stage="fit") == {"train": 6, "val": 2}
    run = data.processor()
    assert rows(of(file), run) == {"test": 2} and rows(of(other), run, "validate") == {"val": 7}
    whole = of(other, val_annotations=str(file))
    assert rows(whole, run) == {"test": 7} and whole.own_path == str(other)
    assert "not the file of the run: all of it" in whole.summary()
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"annotations": content["annotations"][1:]}))
    with pytest.raises(UserError, match=r"train.json: its content changed since.*give --data.test_annotations with"):
        rows(of(file), run)
    named = of(file, test_annotations=str(other))
    assert rows(named, run) == {"test": 7} and named.own_path == str(other) and not named.other_file
