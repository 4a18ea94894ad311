"""A folder of pictures as people have them: other formats, scans, warnings, a test folder of its own."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from common.messages import UserError
from datamodules.vision.image_folder import ImageFolder
from tests.datamodules.vision.pictures import SHADE, corrupt, draw, fill
from tests.datamodules.vision.test_image_folder import ready


def test_files_in_other_formats_are_counted_and_named_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, 10)
    for i in range(30):
        (tmp_path / "dark" / f"IMG_{i:04d}.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    (tmp_path / "dark" / "x.CR2").write_bytes(b"x")
    (tmp_path / "dark" / "scan").write_bytes(b"x")
    (tmp_path / "dark" / "notes.txt").write_text("x")
    ready(tmp_path)
    said = capsys.readouterr().err
    assert "32 files cannot be read as images (.heic 30, " in said and "such as dark/IMG_0000.HEIC" in said
    assert "pip install pillow-heif" in said


@pytest.mark.parametrize(("stage", "where"), [("fit", "light has no images: 3 files"), ("predict", "has no images: 6")])
def test_a_folder_of_other_formats_is_not_empty(tmp_path: Path, stage: str, where: str) -> None:
    for name in ("dark", "light"):
        (tmp_path / name).mkdir()
        for i in range(3):
            (tmp_path / name / f"{i}.heic").write_bytes(b"x")
    data = ImageFolder(str(tmp_path), num_classes=2, in_channels=1, image_size=8)
    if stage == "fit":
        fill(tmp_path, 5, {"dark": 40})
    with pytest.raises(UserError, match=rf"{where}.*cannot be read as images \(\.heic \d\).*pillow-heif"):
        data.setup(stage)


def test_what_is_done_to_the_pictures_is_said(tmp_path: Path) -> None:
    for name in SHADE:
        for i in range(5):
            draw(tmp_path / name / f"{i}.png", 9, 300, 300 if i else 200)
    said = ready(tmp_path, test_fraction=0).summary()
    assert "train 8, val 2, test 0 images" not in said and "train 8, val 2 images; 2 classes (dark 5, light 5)" in said
    assert "64 x 64 pixels in gray, from short sides of 200 to 300 (--data.image_size N keeps more)" in said
    assert "are not square: the largest square in the middle is used" in said


def test_warnings_about_a_picture_name_its_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, 5)
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0" + bytes(range(60))  # five entries that are none
    with Image.open(tmp_path / "dark" / "01.png") as image:
        image.convert("L").save(tmp_path / "dark" / "01.jpg", exif=exif)
    (tmp_path / "dark" / "01.png").unlink()
    said = ready(tmp_path, test_fraction=0).summary()
    assert "1 are read in spite of a fault: 01.jpg (" in said and "Warning" not in capfd.readouterr().err


def test_a_scan_of_195_megapixels_is_read(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    Image.new("1", (15000, 13000), 1).save(tmp_path / "light" / "scan.png")
    data = ready(tmp_path, image_size=16)
    assert sum(len(part[1]) for part in data.splits.values()) >= 9 and data.class_counts()["light"] >= 5
    (tmp_path / "light" / "cut.png").write_bytes((tmp_path / "light" / "04.png").read_bytes()[:60])
    assert "cannot be read and are left out: light/cut.png (" not in data.summary()


def test_a_test_folder_of_its_own_is_tested_whole(tmp_path: Path) -> None:
    data = ImageFolder(str(fill(tmp_path / "a", 10)), test_root=str(fill(tmp_path / "b", 7)))
    data.setup("fit")
    data.setup("test")
    assert [len(data.splits[name][1]) for name in ("train", "val", "test")] == [16, 4, 14]
    alone = ImageFolder(str(tmp_path / "a"), 2, 1, 20, test_root=str(tmp_path / "b"))
    alone.class_names = ["dark", "light"]
    alone.setup("test")
    assert len(alone.splits["test"][1]) == 14 and alone.own_path == str(tmp_path / "b")


def test_images_that_take_long_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("datamodules.cache.WORTH", 0.0)
    root = fill(tmp_path / "photos", 10)
    corrupt(root / "dark" / "03.png")
    first = ready(root)
    monkeypatch.setattr("datamodules.vision.image_folder.readable", lambda *_, **__: pytest.fail("decoded twice"))
    second = ready(root)
    assert torch.equal(first.splits["train"][0], second.splits["train"][0]) and first.facts == second.facts
    (root / "dark" / "04.png").write_bytes(b"changed")
    monkeypatch.undo()
    monkeypatch.setenv("DIVE_DATA", str(tmp_path / "data"))
    assert len(ready(root).splits["train"][0]) < len(first.splits["train"][0])


def test_pictures_are_not_cut_for_a_model_that_saw_whole_ones(tmp_path: Path) -> None:
    wide = Image.new("L", (60, 20), 0)
    wide.paste(255, (0, 0, 20, 20))  # left of the square in the middle
    wide.save(tmp_path / "wide.png")
    means = {}
    for whole in (False, True):
        data = ImageFolder(str(tmp_path), num_classes=2, in_channels=1, image_size=12)
        data.load_processor({"whole_pictures": whole})
        data.setup("predict")
        means[whole] = float(data.splits["predict"][0].float().mean())
        assert data.predict_picture(0)[1] == ((0, 0, 60, 20) if whole else (20, 0, 40, 20))
    assert means[False] < 5 and means[True] == pytest.approx(85, abs=3)


def test_another_folder_than_the_runs_is_tested_whole(tmp_path: Path) -> None:
    run = ready(fill(tmp_path / "a", 10))
    for root, count in ((fill(tmp_path / "b", 6), 12), (tmp_path / "a", 4)):
        data = ImageFolder(str(root), num_classes=2, in_channels=1, image_size=8)
        data.load_processor(run.processor())
        data.setup("test")
        assert len(data.splits["test"][0]) == count and data.other_file == (count == 12)


def test_a_folder_without_classes_is_read_for_models_that_read_none(tmp_path: Path) -> None:
    flat, deep = tmp_path / "flat", tmp_path / "deep"
    for i in range(10):
        draw(flat / f"{i}.png", 30)
        draw(deep / "holidays" / f"{i}.png", 30)
    with pytest.raises(UserError, match=r"no class folders; .*--data\.unlabeled true"):
        ready(flat)
    for root in (flat, deep):
        assert ImageFolder.infer(str(root), unlabeled=True)["num_classes"] == 1
        data = ready(root, unlabeled=True)
        assert [len(data.splits[name][0]) for name in ("train", "val")] == [6, 2]
        assert int(data.splits["train"][1].max()) == 0
    other = ImageFolder(str(deep), unlabeled=True)
    other.load_processor(ready(flat, unlabeled=True).processor())
    other.setup("test")
    assert len(other.splits["test"][0]) == 10
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="has no images to train on"):
        ImageFolder.infer(str(tmp_path / "none"), unlabeled=True)


def test_split_folders_of_a_folder_without_classes_are_splits(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("val", 2), ("other", 1)):
        for i in range(count):
            draw(tmp_path / split / f"{i}.png", 30)
    data = ready(tmp_path, unlabeled=True, test_fraction=0.0)
    assert [len(data.splits[name][0]) for name in ("train", "val")] == [6, 2]
