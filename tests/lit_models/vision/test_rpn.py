"""RPN: matching between two thresholds, sampling, anchors, proposals, losses that leave out what does not teach."""

import torch

from lit_models.vision.rpn import (
    BACKGROUND,
    NEITHER,
    RPN,
    anchor_targets,
    box_loss,
    draw,
    match,
    proposals,
    rounded_shapes,
    rpn_losses,
    sample,
)

PLAIN = (1.0, 1.0, 1.0, 1.0)


def test_regions_between_the_thresholds_have_neither_object_nor_background() -> None:
    overlaps = torch.tensor([[[0.8, 0.1], [0.5, 0.2], [0.1, 0.25], [0.1, 0.05]]])
    there = torch.tensor([[True, True]])
    assert match(overlaps, there, 0.7, 0.3).tolist() == [[0, NEITHER, BACKGROUND, BACKGROUND]]
    assert match(overlaps, there, 0.7, 0.3, best_too=True).tolist() == [[0, NEITHER, 1, BACKGROUND]]
    padding = torch.tensor([[True, False]])
    assert match(overlaps, padding, 0.7, 0.3, best_too=True).tolist() == [[0, NEITHER, BACKGROUND, BACKGROUND]]


def test_a_sample_has_at_most_half_objects_and_the_smallest_lots() -> None:
    classes = torch.tensor([[1, 1, 1, 0, 0, 0, -1], [0, 0, 0, 0, 0, 1, -1]])
    lots = torch.tensor([[0.9, 0.1, 0.2, 0.8, 0.3, 0.4, 0.0]]).expand(2, -1)
    taken = sample(classes, 4, 0.5, lots)
    assert taken[0].nonzero()[:, 0].tolist() == [1, 2, 4, 5]
    assert taken[1].nonzero()[:, 0].tolist() == [1, 2, 4, 5]  # one object, three of the background


def test_fixed_lots_are_of_the_boxes_and_random_ones_are_not() -> None:
    boxes = torch.randint(0, 60, (50, 4), generator=torch.Generator().manual_seed(0)).float()
    lots = draw(boxes, "fixed")
    assert torch.equal(lots.flip(0), draw(boxes.flip(0), "fixed")) and len(lots.unique()) == 50
    assert not torch.equal(draw(boxes, "random"), draw(boxes, "random"))


def test_anchors_are_centered_on_the_corners_of_their_cells() -> None:
    net = RPN(2, [[8], [16]], ratios=(1.0,))
    maps = [torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 2, 2)]
    anchors, levels = net.anchors(maps, 32)
    assert anchors[:2].tolist() == [[-4, -4, 4, 4], [4, -4, 12, 4]] and anchors[-1].tolist() == [8, 8, 24, 24]
    assert levels.tolist() == [0] * 16 + [1] * 4
    logits, offsets = net(maps)
    assert logits.shape == (1, 20) and offsets.shape == (1, 20, 4)
    wide, high = rounded_shapes([32], (0.5, 2.0)).tolist()
    assert wide == [-23, -11, 23, 11] and high == [-11, -23, 11, 23]  # heights divided by widths


def test_proposals_are_the_best_inside_the_picture_without_their_neighbors() -> None:
    anchors = torch.tensor([[-4.0, 2, 10, 10], [0, 2, 10, 10], [20, 20, 28, 28], [40, 40, 50, 50]])
    logits, offsets = torch.tensor([[1.0, 2.0, 3.0, 4.0]], requires_grad=True), torch.zeros(1, 4, 4)
    boxes, there = proposals(logits, offsets, anchors, torch.tensor([0, 0, 0, 1]), side=32, before=3, most=3)
    assert boxes[0, :2].tolist() == [[20, 20, 28, 28], [0, 2, 10, 10]]  # the last one is outside
    assert there.tolist() == [[True, True, False]] and not boxes.requires_grad


def test_ignored_objects_teach_no_anchor_and_an_object_has_its_best_anchor() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30], [50, 50, 60, 60]])
    boxes = torch.tensor([[[0.0, 0, 5, 9], [20, 20, 30, 30]]])
    classes, wanted = anchor_targets(anchors, boxes, torch.tensor([[False, True]]), torch.tensor([[3, 1]]))
    assert classes.tolist() == [[1, -1, 0]] and wanted[0, 0].tolist() == [0, 0, 5, 9]
    near = torch.tensor([[20.0, 20, 30, 25], [20, 20, 30, 22]])  # overlaps of a half and a fifth with what is ignored
    assert anchor_targets(near, boxes, torch.tensor([[False, True]]), torch.tensor([[3, 1]]))[0].tolist() == [[-1, 0]]


def test_the_loss_of_boxes_counts_matched_anchors_only_and_is_quadratic_near_zero() -> None:
    regions = torch.tensor([[[0.0, 0, 10, 10], [0.0, 0, 10, 10]]])
    wanted = torch.tensor([[[1.0, 0, 11, 10], [0.0, 0, 0, 0]]])
    loss = box_loss(torch.zeros(1, 2, 4), wanted, regions, torch.tensor([[True, True]]), PLAIN)
    torch.testing.assert_close(loss, torch.tensor([[0.5 * 0.1**2 * 9, 0.0]]))  # an empty box is none
    both = rpn_losses(
        torch.zeros(1, 2), torch.zeros(1, 2, 4), regions, torch.tensor([[1, 0]]), wanted, torch.tensor([[True, False]])
    )
    torch.testing.assert_close(torch.cat(both), torch.tensor([0.6931472, 0.5 * 0.1**2 * 9]))
