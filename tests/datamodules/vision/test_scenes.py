"""Scenes: boxes and masks are exact, splits are fixed, objects are small, crowded and cut."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from datamodules.vision.scenes import COLUMNS, NAMES, SIDE, Scenes, by_color, draw_scenes, silhouettes


@pytest.fixture(scope="module")
def scenes() -> tuple:
    return draw_scenes(60, "test")


def test_a_box_is_that_of_its_pixels(scenes: tuple) -> None:
    images, masks, objects = scenes
    assert images.shape == (60, 3, SIDE, SIDE) and masks.shape == (60, SIDE, SIDE)
    single = 0
    for mask, (boxes, _, labels) in zip(masks, objects, strict=True):
        for box, label in zip(boxes, labels, strict=True):
            if (labels == label).sum() == 1:  # the only one of its class: the mask shows its pixels
                y, x = np.nonzero(mask.numpy() == label + 1)
                assert (box * SIDE).round().tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
                single += 1
        assert set(mask.unique().tolist()) - {0} == {int(label) + 1 for label in labels}
    assert single > 50


def test_objects_are_small_crowded_and_cut(scenes: tuple) -> None:
    boxes = np.concatenate([b for b, _, _ in scenes[2]])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert ((width * height) ** 0.5 < 0.15).any() and ((width * height) ** 0.5 > 0.3).any()
    assert ((boxes == 0) | (boxes == 1)).any(1).mean() > 0.1  # at the edge
    counts = [len(labels) for _, _, labels in scenes[2]]
    assert min(counts) >= 1 and max(counts) >= 6


def test_splits_are_fixed_and_have_different_columns_of_the_photographs() -> None:
    again = draw_scenes(3, "test")[0]
    assert torch.equal(again, draw_scenes(3, "test")[0]) and not torch.equal(again, draw_scenes(3, "val")[0])
    ends = sorted(COLUMNS.values())
    assert all(one[1] <= other[0] for one, other in pairwise(ends))


def test_batch_is_padded() -> None:
    data = Scenes(train_size=8, val_size=4, test_size=4)
    data.setup("fit")
    x, boxes, ignored, labels = data.splits["train"]
    assert x.shape == (8, 3, 96, 96) and boxes.shape == (*labels.shape, 4) and ignored.shape == labels.shape
    assert not boxes[labels < 0].any() and (boxes[labels >= 0][:, 2:] > boxes[labels >= 0][:, :2]).all()
    assert data.class_names == NAMES and not ignored.any()


def test_a_silhouette_has_the_size_that_was_asked_for() -> None:
    random = np.random.default_rng(0)
    discs = silhouettes(random, np.array([0, 0]), np.array([20.0, 40.0]), "test")
    assert discs.sum((1, 2)) == pytest.approx([0.8 * np.pi * 100, 0.8 * np.pi * 400], rel=0.05)


def test_a_detector_by_color_finds_a_disc_on_gray_and_little_in_photographs() -> None:
    image = torch.full((1, 3, 40, 40), 120, dtype=torch.uint8)
    image[:, 0, 10:20, 5:30] = 250
    (found,) = by_color(image, 50)
    assert found["boxes"].tolist() == [[5, 10, 30, 20]]
    data = Scenes(train_size=20, val_size=10, test_size=20)
    data.setup("fit")
    assert 0 <= data.baselines()["baseline"]["metrics"]["test/map50"] < 0.3
