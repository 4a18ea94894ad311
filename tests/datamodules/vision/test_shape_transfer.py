"""Transfer: two classes with few pictures, and eight others."""

import pytest
import torch

from common.messages import UserError
from datamodules.vision.shape_transfer import ShapeTransfer
from datamodules.vision.textured_shapes import COLUMNS, draw_images


def small(fold: int = 0) -> ShapeTransfer:
    data = ShapeTransfer(per_class=5, fold=fold, val_size=6, test_size=8, source_size=40)
    data.setup("fit")
    return data


def test_splits_have_the_two_new_classes_in_equal_numbers() -> None:
    splits = small().splits
    for name, rows in (("train", 10), ("val", 6), ("test", 8)):
        assert splits[name][0].shape == (rows, 3, 32, 32)
        assert splits[name][1].bincount().tolist() == [rows // 2] * 2


def test_the_source_has_the_eight_other_classes_only() -> None:
    images, labels = small().source()
    assert len(images) == len(labels) == 40 and labels.unique().tolist() == list(range(8))
    every, classes = draw_images(50, COLUMNS["train"], torch.Generator().manual_seed(0))
    assert torch.equal(images, every[classes < 8])


def test_another_draw_has_other_training_pictures_and_the_same_test() -> None:
    one, other = small(), small(1)
    assert not torch.equal(one.splits["train"][0], other.splits["train"][0])
    assert torch.equal(one.splits["test"][0], other.splits["test"][0])


def test_no_pictures_and_no_such_draw_are_refused() -> None:
    with pytest.raises(UserError, match=r"data.per_class is 0: give a whole number of at least 1"):
        ShapeTransfer(per_class=0)
    with pytest.raises(UserError, match=r"data.fold is 5: give a whole number from 0 to 4"):
        ShapeTransfer(num_folds=5, fold=5)
