"""Folders of images and masks: layouts, palettes, EXIF, and one line for what is wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from common.messages import UserError
from datamodules.vision.mask_folder import MaskFolder, read_mask
from tests.datamodules.test_run_file import rows


def write(folder: Path, stem: str, mask: np.ndarray, mode: str = "L") -> None:
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.repeat(mask[..., None] * 20, 3, 2).astype(np.uint8)).save(folder / "images" / f"{stem}.jpg")
    picture = Image.fromarray(mask.astype(np.uint8))
    if mode == "P":
        picture.putpalette([255, 0, 0, 0, 255, 0, 9, 9, 9])
    (picture.convert("1") if mode == "1" else picture).save(folder / "masks" / f"{stem}.png")


def squares(side: int = 24, value: int = 2) -> np.ndarray:
    mask = np.zeros((side, side + 8), np.uint8)
    mask[4:12, 6:20], mask[14:, :5] = value, 1
    return mask


def test_one_folder_is_divided_and_sizes_are_read(tmp_path: Path) -> None:
    for k in range(10):
        write(tmp_path, f"p{k}", squares(), "P" if k % 2 else "L")
    data = MaskFolder(str(tmp_path), val_fraction=0.2, test_fraction=0.2)
    assert (data.num_classes, data.in_channels, data.image_size) == (3, 3, 24)
    data.setup("fit")
    data.setup("test")
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [6, 2, 2]
    x, y = data.splits["train"]
    assert y.shape == (6, 24, 24) and set(y.unique().tolist()) == {0, 1, 2}
    assert (x[y[:, None].expand_as(x) == 2].float().mean() - x[y[:, None].expand_as(x) == 0].float().mean()) > 25


def test_folders_of_splits_are_used(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("val", 2)):
        for k in range(count):
            write(tmp_path / split, f"p{k}", squares())
    data = MaskFolder(str(tmp_path), test_fraction=0.34)
    data.setup("fit")
    data.setup("test")
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [4, 2, 2]


def test_predictions_need_pictures_only(tmp_path: Path) -> None:
    write(tmp_path, "a", squares())
    data = MaskFolder(str(tmp_path / "images"), num_classes=3, in_channels=3, image_size=16)
    data.setup("predict")
    assert data.splits["predict"][0].shape == (1, 3, 16, 16) and data.predict_names == ["a.jpg"]
    assert data.predict_picture(0)[0].size == (32, 24)


def test_a_mask_is_turned_with_its_picture(tmp_path: Path) -> None:
    write(tmp_path, "a", squares())
    image = Image.open(tmp_path / "images/a.jpg")
    image.getexif()[0x0112] = 6
    image.save(tmp_path / "images/a.jpg", exif=image.getexif(), quality=95)
    stored = read_mask(str(tmp_path / "images/a.jpg"), str(tmp_path / "masks/a.png"))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "images/a.jpg")))[..., 0]
    assert stored.shape == upright.shape and ((upright > 30) == (stored == 2)).mean() > 0.95
    Image.fromarray(stored).save(tmp_path / "masks/a.png")  # drawn on the picture as it is shown
    assert np.array_equal(read_mask(str(tmp_path / "images/a.jpg"), str(tmp_path / "masks/a.png")), stored)


def test_black_and_white_masks_have_two_classes(tmp_path: Path) -> None:
    write(tmp_path, "a", squares(value=1) * 255, "1")
    assert set(np.unique(read_mask(str(tmp_path / "images/a.jpg"), str(tmp_path / "masks/a.png")))) == {0, 1}


@pytest.mark.parametrize(("kind", "mode"), [("<u2", "I;16"), (">u2", "I;16B"), ("<i4", "I")])
def test_masks_of_16_and_32_bits_are_read_in_either_order_of_bytes(tmp_path: Path, kind: str, mode: str) -> None:
    write(tmp_path, "a", squares())
    mask = squares()
    mask[0, :3] = 254, 255, 1
    picture = Image.frombytes(mode, (32, 24), mask.astype(kind).tobytes())
    picture.save(tmp_path / "masks/a.tif")
    assert Image.open(tmp_path / "masks/a.tif").mode == mode
    assert np.array_equal(read_mask(str(tmp_path / "images/a.jpg"), str(tmp_path / "masks/a.tif")), mask)
    Image.frombytes(mode, (32, 24), np.full((24, 32), 256, kind).tobytes()).save(tmp_path / "masks/a.tif")
    with pytest.raises(UserError, match="a pixel is 256"):
        read_mask(str(tmp_path / "images/a.jpg"), str(tmp_path / "masks/a.tif"))


def test_faults_are_one_line(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path, f"p{k}", squares())
    mask = tmp_path / "masks/p1.png"
    sizes = {"num_classes": 3, "in_channels": 3, "image_size": 24}

    def refused(why: str) -> None:
        with pytest.raises(UserError, match=why) as error:
            data = MaskFolder(str(tmp_path), **sizes)
            data.setup("fit")
            data.setup("test")
        assert "\n" not in str(error.value) and "p1" in str(error.value)

    good = mask.read_bytes()
    Image.fromarray(squares(20)).save(mask)
    refused("28 x 20 pixels, its image has 32 x 24")
    Image.fromarray(squares(value=9)).save(mask)
    refused("a pixel is 9, but data.num_classes is 3")
    Image.fromarray(squares()).convert("RGB").save(mask)
    refused(r"is a color picture \(RGB\)")
    Image.fromarray(squares().astype(np.float32)).save(mask, "TIFF")
    refused(r"holds real numbers \(F\)")
    mask.write_bytes(good[:40])
    refused("cannot be read")
    mask.unlink()
    refused("has no mask")
    write(tmp_path, "p1", squares())
    (tmp_path / "images/p1.jpg").write_bytes(b"x")
    refused("cannot be read")
    with pytest.raises(UserError, match=r"no folders images and masks"):
        MaskFolder(str(tmp_path / "images"))
    (tmp_path / "other/val/images").mkdir(parents=True)
    with pytest.raises(UserError, match=r"none for train"):
        MaskFolder(str(tmp_path / "other"))
    with pytest.raises(UserError, match=r"data.root is not given"):
        MaskFolder()
    torch.manual_seed(0)


def test_white_masks_and_a_broken_picture_are_named(tmp_path: Path) -> None:
    for k in range(8):
        write(tmp_path, f"p{k}", (squares() > 0) * 255)
    data = MaskFolder(str(tmp_path))
    with pytest.raises(UserError, match="have 0 and 255 only, and 255 is void, in no loss: write 1 in its place"):
        data.setup("fit")
    (tmp_path / "images/p3.jpg").write_bytes(b"\xff\xd8x")
    with pytest.raises(UserError, match=r"images/p3.jpg cannot be read"):
        MaskFolder(str(tmp_path))


def test_another_folder_is_tested_whole_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    def of(name: str) -> MaskFolder:
        return MaskFolder(str(tmp_path / name), num_classes=3, in_channels=3, image_size=16)

    for name, count in (("a", 10), ("b", 7), ("c/test", 3), ("c/train", 2), ("d/test", 2)):
        for k in range(count):
            write(tmp_path / name, f"p{k}", squares(24 + k))
    data = of("a")
    assert rows(data, stage="fit") == {"train": 6, "val": 2}
    run = data.processor()
    assert rows(of("a"), run) == {"test": 2} and rows(of("b"), run) == {"test": 7}
    assert rows(of("b"), run, "validate") == {"val": 7} and rows(of("b/images"), run, "predict") == {}
    whole, own = of("b"), of("c")
    assert rows(whole, run) == {"test": 7}
    assert "7 pictures; not the folder of the run: all of it" in whole.summary()
    assert rows(own, run) == {"test": 3} and "its test folder" in own.summary()
    assert rows(of("d"), run) == {"test": 2}  # a folder for the test alone
    with pytest.raises(UserError, match="d has folders for test, but none for train"):
        rows(of("d"), stage="fit")
    write(tmp_path / "a", "new", squares())
    with pytest.raises(UserError, match="a: names or sizes of its files changed since training") as error:
        rows(of("a"), run)
    assert "\n" not in str(error.value)
