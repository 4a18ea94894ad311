"""Masks move with their pictures, without classes in between."""

import pytest
import torch

from common.messages import UserError
from datamodules.vision.augmentation import Augmentation
from datamodules.vision.masks import VOID, MaskImages, refuse_other_values


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    y = torch.zeros(6, 24, 24, dtype=torch.long)
    y[:, 4:12, 2:10], y[:, 14:20, 12:22], y[:, :2] = 3, 1, VOID
    return y[:, None] / 255, y


def test_flip_and_zoom_keep_pixels_and_classes_together() -> None:
    x, y = pictures()
    torch.manual_seed(0)
    data = MaskImages(4, 1, 24, flip=True, augmentation=Augmentation(scale=0.5))
    moved, mask = data.augment((x, y))
    assert set(mask.unique().tolist()) <= {0, 1, 3, VOID}
    same = ((moved[:, 0] * 255 - mask).abs() < 0.01)[mask != VOID]
    assert same.float().mean() > 0.75  # the others are at edges, where the picture is interpolated
    assert not torch.equal(mask[0], mask[1])  # each has its own draw


def test_a_batch_has_numbers_for_the_loss() -> None:
    mask = torch.tensor([[[0, 3], [1, 255]]], dtype=torch.uint8)
    x, y = MaskImages(4, 1, 2).transform((torch.full((1, 1, 2, 2), 255, dtype=torch.uint8), mask))
    assert float(x.max()) == 1 and y.dtype == torch.int64 and y.tolist() == [[[0, 3], [1, 255]]]


def test_other_values_are_refused_by_name() -> None:
    masks = torch.zeros(2, 3, 3, dtype=torch.uint8)
    masks[1, 0, 0], masks[0, 0, 0] = 7, VOID
    with pytest.raises(UserError, match=r"b.png: a pixel is 7, but data.num_classes is 4"):
        refuse_other_values(masks, 4, ["a.png", "b.png"])
    with pytest.raises(UserError, match=r"augmentation.shift"):
        MaskImages(2, 3, 10, shift=1)


def test_a_run_says_that_it_saw_whole_pictures() -> None:
    assert MaskImages(num_classes=2, in_channels=1, image_size=4).processor()["whole_pictures"]
