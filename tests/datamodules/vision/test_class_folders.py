"""Class folders: which files are images, of which class and split, and which folders are refused."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from common.messages import UserError
from datamodules.vision.class_folders import (
    KnowsItsClassFolder,
    all_files,
    class_names_of,
    find_images,
    find_splits,
    identity_of_folder,
    with_classes,
)
from tests.datamodules.test_run_file import Base
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


def test_all_files_are_those_of_all_split_folders_or_of_the_one_that_is_asked_for(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2)):
        fill(tmp_path / split, count)
    splits = find_splits(str(tmp_path))
    files, y = all_files(str(tmp_path), splits, ["dark", "light"])
    assert len(set(files)) == 10 and y.bincount().tolist() == [5, 5]
    assert len(all_files(str(tmp_path), splits, ["dark", "light"], split="val")[0]) == 4


def test_a_folder_is_known_again_by_the_names_and_sizes_of_its_files(tmp_path: Path) -> None:
    def known(root: Path) -> str:
        return identity_of_folder(str(root), with_classes(find_splits(str(root))))["sha256"]

    first = known(fill(tmp_path / "a", 3))
    (tmp_path / "a" / "dark" / "notes.txt").write_text("no picture")
    assert known(tmp_path / "a") == first == known(fill(tmp_path / "b", 3))
    (tmp_path / "a" / "dark" / "gone.png").symlink_to(tmp_path / "nowhere")
    assert known(tmp_path / "a") != first
    draw(tmp_path / "b" / "dark" / "00.png", 40, 300, 300)
    assert known(tmp_path / "b") != first


class Pictures(KnowsItsClassFolder, Base):
    """A folder of which nothing is read but names."""

    def __init__(self, root: Path, run: dict[str, Any] | None = None) -> None:
        self.root = self.own_path = str(root)
        self.facts, self.class_names = list[str](), None
        self.val_fraction = self.test_fraction = 0.2
        if run is not None:
            self.load_processor(run)

    def counts(self, stage: str) -> dict[str, int]:
        return {name: len(files) for name, (files, _) in self.label_files(stage, find_splits(self.root)).items()}


def test_another_folder_is_tested_whole_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    data = Pictures(fill(tmp_path / "a", 10))
    assert data.counts("fit") == {"train": 12, "val": 4}
    run = data.processor()
    assert Pictures(tmp_path / "a", run).counts("test") == {"test": 4}
    shutil.copytree(tmp_path / "a", tmp_path / "moved")
    assert Pictures(tmp_path / "moved", run).counts("test") == {"test": 4}
    other = Pictures(fill(tmp_path / "b", 7), run)
    assert other.counts("test") == {"test": 14} and other.other_file
    assert other.facts == ["not the folder of the run: all of it"]
    assert Pictures(tmp_path / "b", run).counts("validate") == {"val": 14}
    own = Pictures(fill(tmp_path / "c" / "train", 3).parent, run)
    fill(tmp_path / "c" / "test", 2)
    assert own.counts("test") == {"test": 4} and own.facts == ["not the folder of the run: its test folder"]
    draw(tmp_path / "a" / "dark" / "new.png")
    with pytest.raises(UserError, match="a: names or sizes of its files changed since training"):
        Pictures(tmp_path / "a", run).counts("test")
    assert Pictures(tmp_path / "a", {}).counts("test") == {"test": 4}  # an older run


def test_a_folder_with_a_test_folder_may_change(tmp_path: Path) -> None:
    for split in ("train", "test"):
        fill(tmp_path / split, 5)
    data = Pictures(tmp_path)
    data.counts("fit")
    draw(tmp_path / "test" / "dark" / "new.png")
    again = Pictures(tmp_path, data.processor())
    assert again.counts("test") == {"test": 11} and not again.other_file and not again.facts
