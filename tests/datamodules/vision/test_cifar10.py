"""CIFAR-10: the published batches are read, and nothing else that a pickle may contain."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from common.messages import UserError
from datamodules.vision.cifar10 import CIFAR10, FOLDER, TEST, TRAIN, read_batch


def write_batches(root: Path, rows: int = 20) -> Path:
    """Six batch files in the published layout: pickle protocol 2, rows of 3,072 bytes, red first."""
    folder = root / FOLDER
    folder.mkdir(parents=True)
    for k, name in enumerate((*TRAIN, TEST)):
        data = np.full((rows, 3072), k, dtype=np.uint8)
        data[:, 0] = 200  # the first pixel's red
        data[:, 2] = np.arange(rows)  # the third one's: which row it is
        content = {"data": data, "labels": [i % 10 for i in range(rows)], "batch_label": name}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder


def test_published_batches_are_split_in_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    write_batches(tmp_path)
    data = CIFAR10(val_size=30)
    data.setup("fit")
    sizes = {name: len(data.splits[name][0]) for name in ("train", "val", "test")}
    assert sizes == {"train": 70, "val": 30, "test": 20}
    assert torch.equal(data.splits["val"][1].bincount(), torch.full((10,), 3))
    images = data.splits["test"][0]
    assert images.dtype == torch.uint8 and images.shape == (20, 3, 32, 32)
    assert images[0, :, 0, 0].tolist() == [200, 5, 5] and int(images[0, 0, 0, 1]) == 5


def test_gray_and_other_sizes_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    write_batches(tmp_path)
    data = CIFAR10(in_channels=1, image_size=16, val_size=30)
    data.setup("test")
    assert data.splits["test"][0].shape == (20, 1, 16, 16)


@pytest.mark.parametrize("size", [0, 100])
def test_a_validation_split_that_leaves_nothing_is_refused(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    write_batches(tmp_path)
    with pytest.raises(UserError, match=f"data.val_size is {size}, but .* has 100 training images"):
        CIFAR10(val_size=size).setup("fit")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


def test_a_pickle_that_would_run_a_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("batch").write_bytes(pickle.dumps({"data": Evil(), "labels": []}, protocol=2))
    with pytest.raises(UserError, match=r"not a CIFAR batch \(it asks for posix.system\)"):
        read_batch(Path("batch"))
    assert not Path("owned").exists()


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps({"labels": [1]}), pickle.dumps([1, 2])])
def test_a_damaged_batch_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(content)
    with pytest.raises(UserError, match="batch is damaged or not a CIFAR batch") as caught:
        read_batch(tmp_path / "batch")
    assert "\n" not in str(caught.value)


@pytest.mark.realdata
@pytest.mark.skipif(not (Path(os.environ.get("DIVE_DATA", "")) / FOLDER).is_dir(), reason="needs CIFAR-10's files")
def test_genuine_labels() -> None:
    _, labels = read_batch(Path(os.environ["DIVE_DATA"]) / FOLDER / "data_batch_1")
    assert labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
