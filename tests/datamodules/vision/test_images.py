"""Batches of images: scaled, moved and mirrored, each image at random by itself."""

import pytest
import torch

from common.messages import UserError
from datamodules.vision.images import ImageTensors, random_flip, random_shift


def images() -> torch.Tensor:
    return torch.rand(64, 3, 9, 7)


def test_a_batch_is_scaled_to_the_unit_interval() -> None:
    data = ImageTensors(2, 1, 2)
    x, y = data.transform((torch.tensor([[[[0, 255], [51, 102]]]], dtype=torch.uint8), torch.tensor([1])))
    assert x.flatten().tolist() == [0.0, 1.0, 51 / 255, 102 / 255] or torch.allclose(
        x.flatten(), torch.tensor([0.0, 1.0, 0.2, 0.4])
    )
    assert y.tolist() == [1]


def test_each_image_is_moved_by_its_own_offset_and_zeros_come_in() -> None:
    before = images() + 0.1
    after = random_shift(before, 2)
    offsets = set()
    for old, new in zip(before, after, strict=True):
        padded = torch.nn.functional.pad(old, [2, 2, 2, 2])
        match = [(i, j) for i in range(5) for j in range(5) if torch.equal(padded[:, i : i + 9, j : j + 7], new)]
        assert len(match) == 1
        offsets.add(match[0])
    assert len(offsets) > 15  # of 25


def test_half_of_the_images_are_mirrored() -> None:
    before = images()
    after = random_flip(before)
    flipped = [torch.equal(new, old.flip(-1)) for old, new in zip(before, after, strict=True)]
    kept = [torch.equal(new, old) for old, new in zip(before, after, strict=True)]
    assert all(f != k for f, k in zip(flipped, kept, strict=True))
    assert 15 < sum(flipped) < 49


def test_no_augmentation_by_default() -> None:
    batch = (images(), torch.arange(64))
    assert ImageTensors(2, 3, 9).augment(batch)[0] is batch[0]


class Made(ImageTensors):
    def __init__(self, in_channels: int) -> None:
        super().__init__(2, in_channels, 4)


def test_gray_becomes_color_and_color_gray() -> None:
    gray = torch.randint(256, (5, 1, 4, 4), dtype=torch.uint8)
    color = Made(3).fit_images(gray)
    assert color.shape == (5, 3, 4, 4) and torch.equal(color[:, 0], color[:, 2])
    assert torch.equal(Made(1).fit_images(color), gray)
    red = torch.tensor([200, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert Made(1).fit_images(red).unique().tolist() == [60]  # 0.299 * 200


def test_other_channels_are_refused_in_one_line() -> None:
    with pytest.raises(
        UserError, match=r"data\.in_channels is 4: the images of Made have 3 channels, give that number"
    ):
        Made(4).fit_images(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
