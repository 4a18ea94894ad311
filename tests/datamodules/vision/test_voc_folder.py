"""A folder in the layout of VOC: what is written is read, and one line for what is wrong."""

from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.vision.scenes import NAMES, draw_scenes
from datamodules.vision.voc_folder import VOCFolder, read_voc, write_voc
from tests.datamodules.test_run_file import rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, count in (("train", 12), ("val", 3), ("test", 3)):
        images, _, rows = draw_scenes(count, split)
        write_voc(tmp_path / "scenes", split, images, rows, NAMES)
    return tmp_path / "scenes"


def test_what_was_written_is_read(folder: Path) -> None:
    images, _, rows = draw_scenes(12, "train")
    data = VOCFolder(str(folder))
    assert (data.num_classes, data.in_channels, data.image_size) == (6, 3, 96)
    data.setup("fit")
    data.setup("test")
    x, boxes, ignored, labels = data.splits["train"]
    assert torch.equal(x, images) and len(data.splits["val"][0]) == len(data.splits["test"][0]) == 3
    for k, (box, _, label) in enumerate(rows):
        names = [data.class_names[i] for i in labels[k][labels[k] >= 0]]  # type: ignore[index]
        assert names == [NAMES[i] for i in label]
        torch.testing.assert_close(boxes[k][labels[k] >= 0], torch.from_numpy(box), atol=1e-5, rtol=0)
    assert not ignored.any()


def test_difficult_objects_are_ignored_and_pictures_without_objects_read(folder: Path) -> None:
    path = folder / "Annotations/train_00000.xml"
    path.write_text(path.read_text().replace("<difficult>0", "<difficult>1", 1))
    other = folder / "Annotations/train_00001.xml"
    text = other.read_text()
    other.write_text(text[: text.index("<object>")] + "</annotation>")
    items = read_voc(str(folder))["train"]
    assert items[0].ignored[0] and not any(items[0].ignored[1:]) and items[1].labels == []


def test_without_lists_all_pictures_are_divided(folder: Path) -> None:
    for path in (folder / "ImageSets/Main").iterdir():
        path.unlink()
    data = VOCFolder(str(folder), val_fraction=0.25, test_fraction=0.25)
    data.setup("fit")
    assert len(data.splits["val"][0]) == 4 and len(data.splits["train"][0]) == 10


def counts(folder: Path) -> dict[str, int]:
    return {name: len(items) for name, items in read_voc(str(folder)).items()}


def test_without_a_list_for_training_what_the_others_do_not_name_is_trained_on(folder: Path) -> None:
    lists = folder / "ImageSets/Main"
    text = {name: (lists / f"{name}.txt").read_text() for name in ("train", "val", "test")}
    (lists / "train.txt").unlink()
    assert counts(folder) == {"train": 12, "val": 3, "test": 3}
    (lists / "val.txt").unlink()
    assert counts(folder) == {"train": 15, "test": 3}
    data = VOCFolder(str(folder), val_fraction=0.2)
    data.setup("fit")
    data.setup("test")
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [12, 3, 3]
    (lists / "trainval.txt").write_text(text["train"] + "".join(text["test"].splitlines(True)[:1]))
    found = read_voc(str(folder))
    assert counts(folder) == {"train": 12, "test": 3}
    assert [Path(item.source).stem for item in found["train"]] == text["train"].split()
    (lists / "test.txt").unlink()
    assert counts(folder) == {"train": 13}


def test_a_folder_whose_lists_leave_nothing_to_train_on_is_only_evaluated(folder: Path) -> None:
    lists = folder / "ImageSets/Main"
    run = VOCFolder(str(folder))
    run.setup("fit")
    for split in ("train", "val"):
        (lists / f"{split}.txt").unlink()
        for path in folder.glob(f"Annotations/{split}_*.xml"):
            path.unlink()
    data = VOCFolder(str(folder))
    assert counts(folder) == {"test": 3} and data.num_classes > 0
    with pytest.raises(UserError, match="its lists for test name all pictures, and none is left for train: write a"):
        data.setup("fit")
    assert rows(VOCFolder(str(folder), 6, 3, 96), run.processor()) == {"test": 3}


def test_predictions_need_pictures_only(folder: Path) -> None:
    data = VOCFolder(str(folder / "JPEGImages"), num_classes=6, in_channels=3, image_size=48)
    data.setup("predict")
    assert data.splits["predict"][0].shape == (18, 3, 48, 48)
    image, area = data.predict_picture(0)
    assert image.size == (96, 96) and area == (0, 0, 96, 96)


def test_faults_are_one_line(folder: Path) -> None:
    path = folder / "Annotations/train_00000.xml"
    good = path.read_text()
    for text, why in (
        (good[:-8], "is not XML"),
        (good.replace("<name>", "<nam>").replace("</name>", "</nam>"), "object 1 has no name"),
        (good.replace("<xmin>", "<xmin>a"), "is not a number"),
        (good.replace("train_00000.png", "gone.png"), ""),  # the picture of the same name is taken
    ):
        path.write_text(text)
        if why:
            with pytest.raises(UserError, match=why) as error:
                read_voc(str(folder))
            assert "train_00000.xml" in str(error.value) and "\n" not in str(error.value)
        else:
            assert read_voc(str(folder))["train"][0].path.endswith("train_00000.png")
    (folder / "JPEGImages/train_00000.png").unlink()
    with pytest.raises(UserError, match=r"train_00000\.xml has no picture"):
        read_voc(str(folder))
    path.unlink()
    with pytest.raises(UserError, match=r"no .*train_00000.xml, which a list"):
        read_voc(str(folder))
    (folder / "ImageSets/Main/train.txt").write_text("")
    with pytest.raises(UserError, match=r"train.txt is empty"):
        read_voc(str(folder))
    with pytest.raises(UserError, match=r"has no folder Annotations"):
        VOCFolder(str(folder / "JPEGImages"))
    with pytest.raises(UserError, match=r"data.root is not given"):
        VOCFolder()


def test_another_folder_is_tested_whole_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    def of(name: str) -> VOCFolder:
        return VOCFolder(str(tmp_path / name), num_classes=6, in_channels=3, image_size=48)

    def draw(name: str, split: str, count: int, lists: bool = False) -> None:
        images, _, objects = draw_scenes(count, split)
        write_voc(tmp_path / name, split, images, objects, NAMES)
        if not lists:
            (tmp_path / name / f"ImageSets/Main/{split}.txt").unlink()

    draw("a", "train", 20), draw("b", "test", 7), draw("c", "train", 3, True), draw("c", "test", 2, True)
    data = of("a")
    assert rows(data, stage="fit") == {"train": 14, "val": 3}
    run = data.processor()
    draw("d", "train", 4), draw("d", "test", 2, True)
    assert rows(of("d"), run) == {"test": 2}  # which its list names
    assert rows(of("a"), run) == {"test": 3} and rows(of("b"), run, "validate") == {"val": 7}
    other, listed = of("b"), of("c")
    assert rows(other, run) == {"test": 7} and "not the folder of the run: all of it" in other.summary()
    assert rows(listed, run) == {"test": 2} and "not the folder of the run: the test list" in listed.summary()
    path = tmp_path / "a/Annotations/train_00000.xml"
    text = path.read_text()
    name = text.split("<name>")[1].split("</name>")[0]
    path.write_text(text.replace(name, next(n for n in NAMES if n != name and len(n) == len(name)), 1))
    with pytest.raises(UserError, match="a: classes, names or sizes of its files changed since training"):
        rows(of("a"), run)  # a class decides where a picture goes
    path.write_text(text)
    assert rows(of("a"), run) == {"test": 3}
