"""Objects: boxes move with their pictures."""

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.vision.augmentation import Augmentation
from datamodules.vision.objects import ObjectImages, flip_with_boxes, padded


def scene() -> tuple[Tensor, Tensor]:
    """Four black pictures, each with a white box."""
    x, boxes = torch.zeros(4, 1, 40, 40), torch.zeros(4, 1, 4)
    for k, (left, top, right, bottom) in enumerate([(4, 6, 14, 20), (20, 20, 36, 30), (0, 0, 8, 8), (10, 12, 30, 32)]):
        x[k, :, top:bottom, left:right] = 1
        boxes[k, 0] = torch.tensor([left, top, right, bottom]) / 40
    return x, boxes


def box_of(image: Tensor) -> list[int]:
    y, x = (image[0] > 0.75).nonzero().unbind(1)
    return [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]


def test_a_mirrored_picture_has_mirrored_boxes() -> None:
    x, boxes = scene()
    moved, new = flip_with_boxes(x, boxes, torch.tensor([True, False, True, True]))
    for k in range(4):
        assert (new[k, 0] * 40).round().tolist() == box_of(moved[k])
    assert torch.equal(moved[1], x[1]) and not torch.equal(moved[0], x[0])


def test_augmentation_moves_boxes_too() -> None:
    torch.manual_seed(0)
    x, boxes = scene()
    data = ObjectImages(1, 1, 40, augmentation=Augmentation(scale=0.3))
    moved, new, _, labels = data.augment((x, boxes, torch.zeros(4, 1, dtype=torch.bool), torch.zeros(4, 1)))
    for k in range(4):
        assert (new[k, 0] * 40 - torch.tensor(box_of(moved[k]))).abs().max() <= 1.51
    assert len(labels) == 4 and not torch.allclose(moved, x)


def test_rows_are_padded_to_the_longest() -> None:
    boxes, ignored, labels = padded([([[0, 0, 1, 1], [0, 0, 0.5, 1]], [0, 1], [3, 4]), ([], [], [])])
    assert labels.tolist() == [[3, 4], [-1, -1]] and ignored.tolist() == [[False, True], [False, False]]
    assert boxes.shape == (2, 2, 4) and padded([([], [], [])])[0].shape == (1, 1, 4)


def test_a_shift_without_boxes_is_refused() -> None:
    with pytest.raises(UserError, match=r"augmentation.shift"):
        ObjectImages(1, 3, 40, shift=2)
