"""Your own pictures with boxes: EXIF, splits, and one line for what is wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from common.messages import UserError
from datamodules.vision.object_files import Annotated, ObjectFiles, Split, divided, fractions, turn


class Listed(ObjectFiles):
    """Pictures that a test lists."""

    def __init__(self, splits: Split, **files: Any) -> None:
        super().__init__("somewhere", 2, 3, 20, **files)
        self.listed = splits

    def read(self) -> Split:
        return self.listed


def item(
    folder: Path, name: str, *objects: tuple[list[float], str], size: Any = None, orientation: int = 1
) -> Annotated:
    image = Image.new("RGB", (40, 20))
    image.getexif()[0x0112] = orientation
    image.save(folder / name, exif=image.getexif())
    boxes, labels = [box for box, _ in objects], [label for _, label in objects]
    return Annotated(str(folder / name), f"{name}.xml", size, boxes, labels, [False] * len(boxes))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_with_their_picture(orientation: int, tmp_path: Path) -> None:
    pixels = np.zeros((20, 40), np.uint8)
    pixels[2:8, 5:25] = 255
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=image.getexif())
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    y, x = np.nonzero(upright)
    truth = [x.min(), y.min(), x.max() + 1, y.max() + 1]
    box = turn(torch.tensor([[5 / 40, 2 / 20, 25 / 40, 8 / 20]]), orientation)[0]
    assert (box * torch.tensor(upright.shape[::-1] * 2)).round().tolist() == truth


def test_boxes_of_an_upright_picture_are_not_turned_again(tmp_path: Path) -> None:
    box = [2.0, 5.0, 8.0, 25.0]
    upright = item(tmp_path, "a.png", (box, "cat"), size=(20, 40), orientation=6)
    stored = item(tmp_path, "b.png", ([5.0, 12.0, 25.0, 18.0], "cat"), size=(40, 20), orientation=6)
    expected = torch.tensor([[2 / 20, 5 / 40, 8 / 20, 25 / 40]])
    torch.testing.assert_close(fractions(upright)[0], expected)
    torch.testing.assert_close(fractions(stored)[0], expected)


def test_a_box_in_a_picture_is_where_it_was(tmp_path: Path) -> None:
    pixels = np.zeros((60, 120), np.uint8)
    pixels[12:36, 30:90] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    data = Listed({"train": [Annotated(str(tmp_path / "a.png"), "a", (120, 60), [[30, 12, 90, 36]], ["x"], [False])]})
    data.class_names = ["x"]
    images, boxes, _, _ = data.load_split(data.listed["train"])
    y, x = (images[0, 0] > 127).nonzero().unbind(1)
    assert (boxes[0, 0] * 20).tolist() == [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]


@pytest.mark.parametrize(
    ("box", "why"),
    [([5, 5, 5, 9], "empty"), ([9, 5, 5, 9], "inverted"), ([5, 5, 50, 9], "outside"), ([-1, 5, 8, 9], "outside")],
)
def test_a_bad_box_is_one_line_with_file_and_object(box: list[float], why: str, tmp_path: Path) -> None:
    splits = {"train": [item(tmp_path, "a.png", ([1.0, 1, 9, 9], "cat"), (box, "dog"))]}
    data = Listed(splits)
    data.class_names = ["cat", "dog"]
    with pytest.raises(UserError, match=r"a\.png\.xml: object 2 \(dog\)") as error:
        data.load_split(splits["train"])
    assert "\n" not in str(error.value) and why in str(error.value)
    lenient = Listed(splits, skip_bad_boxes=True)
    lenient.class_names = ["cat", "dog"]
    assert lenient.load_split(splits["train"])[3].tolist() == [[0]]


def test_other_faults_are_one_line(tmp_path: Path) -> None:
    good = [item(tmp_path, f"{k}.png", ([1.0, 1, 9, 9], name)) for k, name in enumerate(["cat", "dog", "cat"])]
    with pytest.raises(UserError, match=r"class 'cow' is not among the classes"):
        Listed({"train": good, "val": [item(tmp_path, "v.png", ([1.0, 1, 9, 9], "cow"))], "test": good}).setup("fit")
    with pytest.raises(UserError, match=r"says that a.png has 80 x 80 pixels, but it has 40 x 20"):
        Listed({"all": [*good, item(tmp_path, "a.png", ([1.0, 1, 9, 9], "cat"), size=(80, 80))]}).setup("fit")
    (tmp_path / "0.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"0\.png cannot be read"):
        Listed({"train": good, "val": good, "test": good}).setup("fit")
    with pytest.raises(UserError, match=r"has 1 classes \(cat\), but data.num_classes is 2"):
        Listed({"train": good[2:], "val": good, "test": good}).setup("fit")
    with pytest.raises(UserError, match=r"take 4 MB: lower data.image_size"):
        Listed({}, memory_limit_mb=1).decode(["x"] * 3000)


def test_missing_lists_are_taken_from_train(tmp_path: Path) -> None:
    items = [Annotated(str(k), str(k)) for k in range(20)]
    splits = divided({"train": items, "test": items[:2]}, 0.25, 0.25)
    assert len(splits["val"]) == 5 and len(splits["train"]) == 15 and len(splits["test"]) == 2
    assert not {i.path for i in splits["val"]} & {i.path for i in splits["train"]}
    with pytest.raises(UserError, match=r"2 pictures are too few"):
        divided({"all": items[:2]}, 0.2, 0.2)


@pytest.mark.parametrize("rare", range(20))
def test_the_only_picture_of_a_class_is_trained_on(rare: int) -> None:
    items = [Annotated(str(k), str(k), labels=["rare" if k == rare else "cat"]) for k in range(20)]
    plain = divided({"all": [Annotated(str(k), str(k), labels=["cat"]) for k in range(20)]}, 0.2, 0.2)
    splits = divided({"all": items}, 0.2, 0.2)
    assert items[rare] in splits["train"]
    assert sorted(int(i.path) for part in splits.values() for i in part) == [*range(20)]
    moved = 0
    for name in ("train", "val", "test"):
        paths, before = ([i.path for i in part[name]] for part in (splits, plain))
        moved += sum(a != b for a, b in zip(paths, before, strict=True))
    assert moved == (0 if str(rare) in [i.path for i in plain["train"]] else 2)


def test_classes_are_those_of_all_pictures_before_the_split(tmp_path: Path) -> None:
    names = ["cat", "cat", "cat", "dog"]
    for order in range(4):
        labels = names[order:] + names[:order]
        items = [item(tmp_path, f"{k}.png", ([1.0, 1, 9, 9], name)) for k, name in enumerate(labels)]
        data = Listed({"train": items})
        data.setup("fit")
        assert data.class_names == ["cat", "dog"] and 1 in data.splits["train"][3]
