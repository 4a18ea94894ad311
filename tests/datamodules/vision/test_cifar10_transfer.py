"""Transfer on CIFAR-10: two classes with few pictures, draws that share none, and eight others."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.vision.cifar10_transfer import CIFAR10Transfer
from tests.datamodules.vision.test_cifar10 import write_batches


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five training files of 20 pictures, ten of each class in all, and 20 test pictures."""
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    write_batches(tmp_path)


def small(**arguments: Any) -> CIFAR10Transfer:
    data = CIFAR10Transfer(**({"per_class": 3, "val_size": 8} | arguments))
    data.setup("fit")
    return data


def which(images: Tensor) -> set[tuple[int, int]]:
    """The file and the row of each picture (the second and the third pixel)."""
    return {(int(image[0, 0, 1]), int(image[0, 0, 2])) for image in images}


@pytest.mark.usefixtures("files")
def test_splits_have_the_last_two_classes_and_no_picture_twice() -> None:
    splits = small().splits
    for name, rows in (("train", 6), ("val", 8), ("test", 4)):
        images, labels = splits[name]
        assert images.shape == (rows, 3, 32, 32) and labels.bincount().tolist() == [rows // 2] * 2
        assert {row % 10 - 8 for _, row in which(images[labels == 1])} == {1}
    train, val, test = (which(splits[name][0]) for name in ("train", "val", "test"))
    assert len(train) == 6 and len(val) == 8 and not train & val and {file for file, _ in test} == {5}


@pytest.mark.usefixtures("files")
def test_draws_share_no_training_picture_and_have_the_same_validation() -> None:
    one, other = small(), small(fold=1)
    assert not which(one.splits["train"][0]) & which(other.splits["train"][0])
    assert torch.equal(one.splits["val"][0], other.splits["val"][0])


@pytest.mark.usefixtures("files")
def test_the_source_has_the_eight_other_classes_each_picture_also_mirrored() -> None:
    images, labels = small().source()
    assert labels.bincount().tolist() == [20] * 8
    assert torch.equal(images[80:], images[:80].flip(-1)) and not torch.equal(images[80:], images[:80])
    assert len(small(source_size=5).source()[0]) == 10


@pytest.mark.usefixtures("files")
def test_too_few_pictures_and_no_such_draw_are_one_line() -> None:
    with pytest.raises(UserError, match=r"data.per_class 3 and data.fold 2 need 13 pictures of ship, .* there are 10"):
        small(fold=2)
    with pytest.raises(UserError, match=r"data.per_class is 0: give a whole number of at least 1"):
        CIFAR10Transfer(per_class=0)
    for fold, folds, most in ((5, 5, "from 0 to 4"), (-1, 0, "of at least 0")):
        with pytest.raises(UserError, match=f"data.fold is {fold}: give a whole number {most}"):
            CIFAR10Transfer(num_folds=folds, fold=fold)
