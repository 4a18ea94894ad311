"""Boxes: the book's worked example, and each function against a loop or a library."""

import pytest
import torch
from torch import Tensor

from lit_models.functional.boxes import (
    anchor_shapes,
    area,
    assign,
    decode,
    detections,
    encode,
    grid_anchors,
    iou,
    suppress,
    to_centers,
    to_corners,
)


def random_boxes(*shape: int, seed: int = 0) -> Tensor:
    corners = torch.rand(*shape, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.cat([corners.amin(-2), corners.amax(-2) + 0.01], -1)


def test_centers_and_corners_are_inverse_to_each_other() -> None:
    boxes = torch.tensor([[60.0, 45, 378, 516], [400, 112, 655, 493]])  # the dog and the cat of D2L 14.3
    assert to_centers(boxes).tolist() == [[219.0, 280.5, 318.0, 471.0], [527.5, 302.5, 255.0, 381.0]]
    assert torch.equal(to_corners(to_centers(boxes)), boxes)


def test_overlap_of_known_boxes() -> None:
    one = torch.tensor([[0.0, 0, 2, 2], [5, 5, 5, 5]])
    other = torch.tensor([[1.0, 1, 3, 3], [0, 0, 2, 2], [4, 0, 6, 2], [5, 5, 5, 5]])
    torch.testing.assert_close(iou(one, other), torch.tensor([[1 / 7, 1, 0, 0], [0, 0, 0, 0]]))


def test_anchors_of_the_book() -> None:
    """D2L 14.4: 561 x 728 pixels, three sizes and three ratios give 2,042,040 boxes; here a small grid of them."""
    shapes = anchor_shapes((0.75, 0.5, 0.25), (1, 2, 0.5))
    assert len(shapes) == 5 and 561 * 728 * len(shapes) == 2_042_040
    anchors = grid_anchors(2, 3, shapes)
    assert anchors.shape == (30, 4)
    centers = to_centers(anchors).reshape(2, 3, 5, 4)
    torch.testing.assert_close(centers[0, :, 0, 0], torch.tensor([1 / 6, 3 / 6, 5 / 6]))  # along a row
    torch.testing.assert_close(centers[:, 0, 0, 1], torch.tensor([0.25, 0.75]))
    torch.testing.assert_close(area(anchors)[:5], torch.tensor([0.75, 0.5, 0.25, 0.75, 0.75]) ** 2)
    torch.testing.assert_close(shapes[3, 0] / shapes[3, 1], torch.tensor(2.0))


def test_assignment_of_the_books_example() -> None:
    """D2L 14.4.3: a dog and a cat, five anchors: the labels are background, dog, cat, background, cat."""
    truth = torch.tensor([[[0.1, 0.08, 0.52, 0.92], [0.55, 0.2, 0.9, 0.88]]])
    anchors = torch.tensor(
        [
            [0, 0.1, 0.2, 0.3],
            [0.15, 0.2, 0.4, 0.4],
            [0.63, 0.05, 0.88, 0.98],
            [0.66, 0.45, 0.8, 0.8],
            [0.57, 0.3, 0.92, 0.9],
        ]
    )
    found = assign(iou(anchors, truth), torch.ones(1, 2, dtype=torch.bool))
    assert found.tolist() == [[-1, 0, 1, -1, 1]]
    offsets = encode(truth[0, found[0].clamp(min=0)], anchors)
    book = [[1.40, 10.0, 2.59, 7.18], [-1.20, 0.269, 1.68, -1.57], [-0.571, -1.0, 0.000004, 0.627]]
    torch.testing.assert_close(offsets[[1, 2, 4]], torch.tensor(book), atol=5e-3, rtol=5e-3)


def greedy(overlaps: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """The book's assignment of one picture: object after object, the largest overlap left first."""
    most, found = overlaps[:, valid].max(1)
    found = valid.nonzero().flatten()[found].masked_fill(most < threshold, -1)
    left = overlaps.clone()
    left[:, ~valid] = -1
    for _ in range(int(valid.sum())):
        anchor, object_ = divmod(int(left.argmax()), overlaps.shape[1])
        found[anchor] = object_
        left[anchor], left[:, object_] = -1, -1
    return found


def test_assignment_equals_the_loop_over_objects() -> None:
    anchors, objects = random_boxes(60), random_boxes(16, 9, seed=1)
    objects[:, 5] = objects[:, 4] + 1e-6  # two objects want the same anchor
    valid = torch.rand(16, 9, generator=torch.Generator().manual_seed(2)) < 0.7
    valid[0], valid[:, 4] = False, True
    overlaps = iou(anchors, objects)
    found = assign(overlaps, valid, 0.4)
    for k in range(1, 16):
        assert torch.equal(found[k], greedy(overlaps[k], valid[k], 0.4)), k


def test_every_object_has_an_anchor_of_its_own_and_padding_none() -> None:
    anchors, objects = random_boxes(12), random_boxes(1, 5, seed=3).expand(4, -1, -1).clone()
    objects[0] = objects[0, :1]  # five equal objects
    valid = torch.tensor([[1, 1, 1, 1, 1], [1, 0, 1, 0, 1], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]], dtype=torch.bool)
    found = assign(iou(anchors, objects), valid, 0.99)
    for k in range(4):
        assert sorted(found[k][found[k] >= 0].tolist()) == valid[k].nonzero().flatten().tolist()
    assert assign(torch.zeros(2, 12, 0), torch.zeros(2, 0, dtype=torch.bool)).unique().tolist() == [-1]
    many = assign(torch.rand(1, 2, 5), torch.ones(1, 5, dtype=torch.bool), 0.999)
    assert (many >= 0).all()  # more objects than anchors: each anchor has one


def test_offsets_lead_back_to_the_box() -> None:
    boxes, anchors = random_boxes(50), random_boxes(50, seed=1)
    torch.testing.assert_close(decode(encode(boxes, anchors), anchors), boxes)
    huge = decode(torch.full((1, 4), 1e4), torch.tensor([[0.0, 0, 1, 1]]))
    assert torch.isfinite(huge).all()


def one_after_the_other(boxes: Tensor, labels: Tensor, valid: Tensor, threshold: float) -> list[bool]:
    kept: list[int] = []
    for i in range(len(boxes)):
        rivals = [j for j in kept if labels[j] == labels[i]]
        if valid[i] and all(iou(boxes[i : i + 1], boxes[j : j + 1]).item() <= threshold for j in rivals):
            kept.append(i)
    return [i in kept for i in range(len(boxes))]


@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_suppression_is_the_greedy_rule(threshold: float) -> None:
    chain = torch.tensor([0.1, 0.1, 0.4, 0.4]) + 0.02 * torch.arange(20)[:, None]  # each drops its neighbors
    boxes = torch.cat([chain.double().expand(3, -1, -1), random_boxes(3, 40, seed=2)], 1)
    boxes = boxes[:, torch.randperm(60, generator=torch.Generator().manual_seed(5))]
    labels = torch.randint(3, boxes.shape[:2], generator=torch.Generator().manual_seed(3))
    valid = torch.rand(boxes.shape[:2], generator=torch.Generator().manual_seed(4)) < 0.8
    kept = suppress(boxes, labels, valid, threshold)
    for k in range(3):
        assert kept[k].tolist() == one_after_the_other(boxes[k], labels[k], valid[k], threshold)


def test_a_better_box_of_another_class_suppresses_nothing() -> None:
    boxes = torch.tensor([[[0.0, 0, 1, 1]] * 3])
    kept = suppress(boxes, torch.tensor([[0, 1, 0]]), torch.ones(1, 3, dtype=torch.bool))
    assert kept.tolist() == [[True, True, False]]


def test_detections_are_the_best_boxes_with_their_classes() -> None:
    anchors = torch.tensor([[0.0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0.5, 0.5, 1, 0.98]])
    scores = torch.tensor([[[0.1, 0.0], [0.0, 0.9], [0.0, 0.8]]])
    boxes, found, labels = detections(scores, torch.zeros(1, 3, 4), anchors, min_score=0.05, most=3)
    assert labels.tolist() == [[1, 0, -1]]  # the third overlaps the second, of its class
    torch.testing.assert_close(found, torch.tensor([[0.9, 0.1, 0.0]]))
    torch.testing.assert_close(boxes[0, :2], anchors[[1, 0]])
