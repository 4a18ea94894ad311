"""Tiles and mirror images: every object once, with its exact box, also where a tile's edge cuts it."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from lit_models.functional.views import Found, in_tiles, merged, mirrored, starts


def look(x: Tensor) -> Found:
    """A perfect detector: each color but black is an object; what a tile cuts off is not in its box."""
    rows = []
    for image in x[:, 0]:
        colors = [c for c in image.unique().tolist() if c > 0]
        boxes = torch.zeros(20, 4)
        for k, color in enumerate(colors):
            y, u = (image == color).nonzero().unbind(1)
            boxes[k] = torch.tensor([u.min(), y.min(), u.max() + 1, y.max() + 1]) / image.shape[-1]
        there = torch.arange(20) < len(colors)
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        rows.append((boxes, (0.5 + areas / 2) * there, torch.where(there, 0, -1)))
    scores = torch.stack([row[1] for row in rows])
    order = scores.argsort(1, descending=True)
    boxes, labels = torch.stack([row[0] for row in rows]), torch.stack([row[2] for row in rows])
    return boxes.gather(1, order[..., None].expand(-1, -1, 4)), scores.gather(1, order), labels.gather(1, order)


def scene(side: int = 100) -> tuple[Tensor, Tensor]:
    """A picture (1, 1, side, side) and the boxes (n, 4) of its objects in pixels."""
    places = [(2, 3), (24, 30), (35, 1), (60, 33), (33, 62), (70, 70), (88, 10), (10, 88), (46, 47)]
    boxes = torch.tensor([[left, top, left + 8 + k % 4, top + 9] for k, (left, top) in enumerate(places)])
    x = torch.zeros(1, 1, side, side)
    for k, (left, top, right, bottom) in enumerate(boxes.tolist(), 1):
        x[..., top:bottom, left:right] = k / 10
    return x, boxes


def sorted_boxes(found: Found, side: int) -> list[list[float]]:
    return sorted((found[0][0][found[2][0] >= 0] * side).round(decimals=3).tolist())


def test_tiles_begin_evenly_and_overlap_by_at_least_the_fraction() -> None:
    assert starts(96, 96, 0.25) == [0] and starts(97, 96, 0.25) == [0, 1]
    for length in (150, 200, 333):
        found = starts(length, 96, 0.25)
        assert found[0] == 0 and found[-1] == length - 96
        assert max(b - a for a, b in pairwise(found)) <= 72


@pytest.mark.parametrize("size", [40, 50, 64])
def test_every_object_is_found_once_with_its_exact_box(size: int) -> None:
    x, boxes = scene()
    whole = in_tiles(look, x, size, 0.3, 0.45, 20)
    assert sorted_boxes(whole, 100) == sorted(boxes.float().tolist())


def test_without_an_overlap_an_object_across_tiles_is_in_pieces() -> None:
    x, boxes = scene()
    loose = sorted_boxes(in_tiles(look, x, 50, 0.0, 0.45, 20), 100)
    assert len(loose) > len(boxes) and [46.0, 47.0, 54.0, 56.0] not in loose


def test_a_picture_of_a_tiles_size_is_looked_at_once() -> None:
    x, _ = scene()
    found = look(x)
    assert in_tiles(lambda _: found, x, 100, 0.3, 0.45, 20) is found


def test_mirror_images_find_what_one_of_them_misses() -> None:
    x, boxes = scene()
    x[..., 45:58, 44:56], boxes = 0, boxes[:-1]  # without the object that the blind half cuts

    def half_blind(x: Tensor) -> Found:
        return look(torch.cat([torch.zeros_like(x[..., :50]), x[..., 50:]], -1))

    found = mirrored(half_blind, x, 0.45, 20)
    assert sorted_boxes(found, 100) == sorted(boxes.float().tolist())


def test_of_two_boxes_the_better_one_stays_and_classes_do_not_meet() -> None:
    box = torch.tensor([[[0.1, 0.1, 0.5, 0.5]]])
    one = box, torch.tensor([[0.6]]), torch.tensor([[0]])
    other = box + 0.01, torch.tensor([[0.9]]), torch.tensor([[0]])
    third = box, torch.tensor([[0.3]]), torch.tensor([[1]])
    none = box, torch.tensor([[0.0]]), torch.tensor([[-1]])
    boxes, scores, labels = merged([one, none, other, third], 0.5, 9)
    assert labels[labels >= 0].tolist() == [0, 1] and scores[labels >= 0].tolist() == pytest.approx([0.9, 0.3])
    torch.testing.assert_close(boxes[0, 0], box[0, 0] + 0.01)
    assert not (merged([none], 0.5, 9)[2] >= 0).any()
