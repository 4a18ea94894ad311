"""Class folders: which files are images, of which class and split, and which folders are refused."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from datamodules.vision.class_folders import class_names_of, find_images, find_splits
from tests.datamodules.vision.pictures import draw, fill


def test_images_are_found_at_any_depth_by_their_endings(tmp_path: Path) -> None:
    for name in ("b/deep/er/x.JPG", "a.png", "b/.hidden.png", ".cache/y.png", "__MACOSX/z.png"):
        draw(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    assert find_images(str(tmp_path)) == ["a.png", "b/deep/er/x.JPG"]


def test_a_linked_folder_is_followed(tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere" / "x.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "cat").symlink_to(tmp_path / "elsewhere")
    assert find_images(str(tmp_path / "root")) == ["cat/x.png"]


def test_without_split_folders_all_files_are_one_split(tmp_path: Path) -> None:
    draw(tmp_path / "b" / "x.png")
    draw(tmp_path / "a" / "deep" / "y.png")
    assert find_splits(str(tmp_path)) == {"all": {"a": ["a/deep/y.png"], "b": ["b/x.png"]}}


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_split_folders_are_known_by_their_names(tmp_path: Path, name: str) -> None:
    fill(tmp_path / "train", 1)
    fill(tmp_path / name, 1)
    splits = find_splits(str(tmp_path))
    assert set(splits) == {"train", "val"}
    assert splits["val"]["dark"] == [f"{name}/dark/00.png"] and class_names_of(splits) == ["dark", "light"]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    fill(tmp_path, 1, {"car": 1, "train": 2})
    assert class_names_of(find_splits(str(tmp_path))) == ["car", "train"]


def test_images_outside_of_class_folders_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw(fill(tmp_path, 1) / "logo.png")
    find_splits(str(tmp_path))
    assert "1 images outside of the class folders are not used, such as logo.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda root: shutil.rmtree(root), "no folder"),
        (lambda root: None, "has no images"),
        (lambda root: draw(root / "a.png"), "no class folders"),
        (lambda root: fill(root, 3, {"one": 1}), "at least two classes"),
        (lambda root: fill(root / "flowers", 3), "did you mean .*flowers"),
        (lambda root: (fill(root, 4) / "empty").mkdir(), "empty has no images"),
        (lambda root: (fill(root / "train", 4), draw(root / "test" / "a.png")), "test/a.png is not in a class folder"),
    ],
)
def test_an_unusable_folder_is_one_line(tmp_path: Path, build: Any, message: str) -> None:
    root = tmp_path / "images"
    root.mkdir()
    build(root)
    with pytest.raises(UserError, match=message) as error:
        find_splits(str(root))
    assert "\n" not in str(error.value)
