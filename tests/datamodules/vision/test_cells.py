"""Drawn cells: exact boxes, the sizes of the three kinds, overlap, fixed splits."""

import numpy as np
import pytest
import torch

from datamodules.vision.cells import NAMES, PLATELET, RED, SIDE, WHITE, Cells, absorb, draw_cells, place_cells, shared


@pytest.fixture(scope="module")
def drawn() -> tuple:
    return draw_cells(60, 5)


def test_a_box_is_that_of_the_pixels_that_absorb() -> None:
    random = np.random.default_rng(0)
    seen = 0
    for _ in range(20):
        for label, box, shape in place_cells(random):
            density = np.zeros((3, SIDE, SIDE), np.float32)
            absorb(random, density, label, shape, np.ones(2))
            y, x = np.nonzero(density.max(0) > 0.02)
            inside = box.clip(0, SIDE)
            assert (
                np.abs(np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) - inside).max() < 1.5
            )  # with the soft edge
            seen += 1
    assert seen > 100


def test_kinds_have_the_sizes_of_bccd_and_colors_of_their_own(drawn: tuple) -> None:
    images, objects = drawn
    boxes, labels = np.concatenate([b for b, _, _ in objects]), np.concatenate([c for _, _, c in objects])
    sides = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(1))
    means = [float(sides[labels == kind].mean()) for kind in (PLATELET, RED, WHITE)]
    assert means == pytest.approx([0.073, 0.18, 0.31], rel=0.2)  # BCCD: 0.073, 0.18, 0.34
    assert images.dtype == torch.uint8 and images.shape == (60, 3, SIDE, SIDE)
    counts = [(c == RED).sum() for _, _, c in objects]
    assert min(counts) <= 3 and max(counts) >= 14


def test_cells_touch_but_none_hides_another() -> None:
    cells = [place_cells(np.random.default_rng(seed)) for seed in range(30)]
    parts = [shared(a[1], b[1]) for found in cells for i, a in enumerate(found) for b in found[:i]]
    assert 0.4 < max(parts) < 0.5 and np.mean(np.array(parts) > 0.05) > 0.03


def test_splits_are_fixed_and_differ() -> None:
    one = Cells(train_size=3, val_size=3, test_size=3)
    one.setup("fit")
    assert torch.equal(one.splits["train"][0], draw_cells(3, 0)[0])
    assert not torch.equal(one.splits["train"][0], one.splits["val"][0])
    _, boxes, ignored, labels = one.splits["train"]
    assert boxes.shape == (*labels.shape, 4) and not ignored.any() and one.class_names == NAMES
    assert (boxes[labels >= 0][:, 2:] > boxes[labels >= 0][:, :2]).all() and boxes.min() >= 0 and boxes.max() <= 1


def test_the_baseline_is_better_than_chance_and_far_from_perfect() -> None:
    data = Cells(train_size=20, val_size=4, test_size=40)
    data.setup("fit")
    found = {name: entry["metrics"]["test/count_error"] for name, entry in data.baselines().items()}
    assert 0.05 < found["baseline"] < found["chance"]
