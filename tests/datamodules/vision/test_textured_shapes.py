"""Textured shapes: what depends on the class, and what does not."""

from itertools import pairwise

import pytest
import torch

from datamodules.vision.textured_shapes import COLUMNS, TexturedShapes, draw_images, inked, shape_mask


@pytest.fixture(scope="module")
def data() -> TexturedShapes:
    data = TexturedShapes(train_size=300, val_size=100, test_size=200)
    data.setup("fit")
    return data


def test_splits_are_balanced_fixed_and_of_color(data: TexturedShapes) -> None:
    again = TexturedShapes(train_size=300, val_size=100, test_size=200)
    again.setup("fit")
    for name, size in (("train", 300), ("val", 100), ("test", 200)):
        images, labels = data.splits[name]
        assert images.shape == (size, 3, 32, 32) and images.dtype == torch.uint8
        assert torch.equal(labels.bincount(), torch.full((10,), size // 10))
        assert torch.equal(images, again.splits[name][0])
    assert len(data.class_names or []) == 10


def test_backgrounds_of_the_splits_come_from_columns_apart() -> None:
    ends = sorted(COLUMNS.values())
    assert all(left[1] <= right[0] for left, right in pairwise(ends)) and ends[-1][1] == 320


def test_mean_color_is_independent_of_the_class(data: TexturedShapes) -> None:
    images, labels = data.splits["train"]
    colors = images.float().mean((2, 3)) / 255
    means = torch.stack([colors[labels == k].mean(0) for k in range(10)])
    error = colors.std(0) / 30**0.5  # of a class's mean
    assert float(((means - colors.mean(0)).abs() / error).max()) < 4


def test_every_shape_has_another_mask_and_fits() -> None:
    axis = torch.linspace(-1.3, 1.3, 53)
    u, v = torch.meshgrid(axis, axis, indexing="xy")
    masks = shape_mask(u.expand(5, -1, -1), v.expand(5, -1, -1), torch.arange(5))
    fractions = masks.float().mean((1, 2))
    assert bool((fractions > 0.1).all()) and not masks[:, 0].any() and not masks[:, :, 0].any()
    overlap = [float((masks[i] ^ masks[j]).float().mean()) for i in range(5) for j in range(i)]
    assert min(overlap) > 0.05
    assert not masks[4, 26, 26] and bool(masks[:4, 26, 26].all())  # the ring is open


def test_stripes_repeat_along_one_direction_and_checks_along_two() -> None:
    x, y = torch.meshgrid(torch.arange(16.0) + 0.5, torch.arange(16.0) + 0.5, indexing="xy")
    one = torch.ones(2, 1, 1)
    ink = inked(
        x.expand(2, -1, -1), y.expand(2, -1, -1), torch.tensor([False, True]), 0 * one, 8 * one, torch.zeros(2, 2, 1, 1)
    )
    stripes, checks = ink
    assert torch.equal(stripes, stripes[:1].expand(16, -1))  # upright
    assert torch.equal(stripes[0], torch.tensor([True] * 4 + [False] * 4).repeat(2))
    assert torch.equal(checks[4:8], ~checks[:4]) and torch.equal(checks[8:], checks[:8])


def test_ink_and_paper_differ() -> None:
    images, _ = draw_images(50, COLUMNS["train"], torch.Generator().manual_seed(0))
    middle = images[:, :, 10:22, 10:22].float().flatten(2)
    assert float((middle.amax(2) - middle.amin(2)).amax(1).min()) > 0.3 * 255


def test_gray_images_and_other_sizes_are_made() -> None:
    data = TexturedShapes(in_channels=1, image_size=20, train_size=10, val_size=10, test_size=10)
    data.setup("test")
    assert data.splits["test"][0].shape == (10, 1, 20, 20)
