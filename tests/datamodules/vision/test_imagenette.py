"""Imagenette in its published layout: its splits and its class names."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.vision.imagenette import FOLDER, NAMES, Imagenette
from tests.datamodules.vision.pictures import draw
from tests.test_configs import build, run_all_verbs


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten photographs of each class to train and two to test, each class with a shade of its own."""
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    root = tmp_path / FOLDER
    for k, name in enumerate(NAMES):
        for split, count in (("train", 10), ("val", 2)):
            for i in range(count):
                draw(root / split / name / f"{name}_{i}.JPEG", 25 * k, 40, 30 + i, mode="RGB")
    (root / "noisy_imagenette.csv").write_text("path,noisy_labels_0\n")
    return root


def test_the_published_validation_folder_is_the_test(published: Path) -> None:
    data = Imagenette(image_size=16)
    data.setup("fit")
    data.setup("test")
    assert {name: len(x) for name, (x, _) in data.splits.items()} == {"train": 90, "val": 10, "test": 20}
    images, labels = data.splits["test"]
    assert images.shape == (20, 3, 16, 16)
    assert data.class_names is not None and data.class_names[int(labels[-1])] == "parachute"
    shades = images.float().mean((1, 2, 3))
    assert (shades - 25 * labels).abs().max() < 5  # each picture under its own name


def test_the_recipe_runs_one_batch_of_each_verb(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ["--model.width", "8", "--data.image_size", "32", "--data.shift", "4", "--data.batch_size", "8"]
    run_all_verbs(build("cnn/resnet_imagenette", monkeypatch, tmp_path, *small))


def test_a_folder_with_a_class_missing_is_fetched_again(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (published / "val" / "n03888257").rename(published / "val" / "n0")
    asked = []

    def fetch(url: str, sha256: str, path: str) -> Path:
        asked.append(path)
        raise UserError(f"cannot download {url}")

    monkeypatch.setattr("datamodules.vision.imagenette.fetch", fetch)
    with pytest.raises(UserError, match="cannot download https"):
        Imagenette(image_size=16).setup("fit")
    assert asked == [f"{FOLDER}.tgz"]
