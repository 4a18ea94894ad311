"""The second stage: the level of a region, classes of regions, losses per picture, detections by class."""

import pytest
import torch

from lit_models.vision.roi_heads import RoIHeads, levels_of, region_detections, region_losses, region_targets


def test_a_region_of_twice_the_side_is_read_one_level_further() -> None:
    sides = torch.tensor([10.0, 111, 112, 224, 448, 3000])
    regions = torch.stack([torch.zeros(6), torch.zeros(6), sides, sides], 1)
    assert levels_of(regions, [1 / 4, 1 / 8, 1 / 16, 1 / 32]).tolist() == [0, 0, 1, 2, 3, 3]


@pytest.mark.parametrize("pooling", ["align", "pool"])
def test_features_are_those_of_a_regions_own_picture_and_place(pooling: str) -> None:
    net = RoIHeads(1, 2, hidden_size=4, size=2, pooling=pooling)  # type: ignore[arg-type]
    maps = torch.zeros(2, 1, 8, 8)
    maps[1, :, 4:, 4:] = 1
    boxes = torch.tensor([[[0.0, 0, 12, 12], [18, 18, 28, 28]]]).expand(2, -1, -1)
    read = net.features([maps], boxes, 32).flatten(1)
    assert read.shape == (4, 4) and read[:3].sum() == 0 and bool((read[3] == 1).all())
    logits, offsets = net([maps, maps[..., :4, :4]], boxes, 32)
    assert logits.shape == (2, 2, 3) and offsets.shape == (2, 2, 3, 4)


def test_regions_have_the_class_of_the_object_that_they_overlap_most() -> None:
    regions = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 10, 4], [20, 20, 30, 30], [0, 0, 10, 10]]])
    boxes, labels = torch.tensor([[[0.0, 0, 10, 9], [20, 20, 30, 30]]]), torch.tensor([[2, 0]])
    there = torch.tensor([[True, True, True, False]])
    classes, wanted = region_targets(regions, there, boxes, torch.tensor([[False, True]]), labels)
    assert classes.tolist() == [[3, 0, -1, -1]] and wanted[0, 0].tolist() == [0, 0, 10, 9]


def test_losses_are_means_over_the_sampled_regions_of_a_picture() -> None:
    logits, offsets = torch.zeros(1, 3, 3), torch.zeros(1, 3, 3, 4)
    logits[0, 2] = 100.0  # not sampled
    offsets[0, 0, 1] = 5.0  # of another class
    regions = torch.tensor([[[0.0, 0, 10, 10]]]).expand(1, 3, 4)
    found = region_losses(logits, offsets, regions, torch.tensor([[2, 0, -1]]), regions + torch.tensor([1.0, 0, 1, 0]))
    torch.testing.assert_close(torch.cat(found), torch.tensor([1.0986123, (1 - 1 / 18) / 2]))


def test_detections_have_the_box_of_their_own_class_and_padding_finds_nothing() -> None:
    logits, offsets = torch.full((1, 2, 3), -5.0), torch.zeros(1, 2, 3, 4)
    logits[0, 0, 2] = logits[0, 1, 1] = 5.0
    offsets[0, 0, 2, 0] = 5.0  # half a width to the right
    regions = torch.tensor([[[0.0, 0, 10, 10], [10, 10, 20, 20]]])
    there = torch.tensor([[True, False]])
    boxes, scores, labels = region_detections(logits, offsets, regions, there, side=12, min_score=0.5)
    assert labels.tolist() == [[1, -1, -1, -1]] and boxes[0, 0].tolist() == [5, 0, 12, 10]  # cut at the edge
    assert float(scores[0, 0]) > 0.99
