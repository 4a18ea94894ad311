"""Regions: rounded or not, of any size, outside of the map, gradients."""

import pytest
import torch
from torch import Tensor

from lit_models.functional.regions import roi_align, roi_pool

MAP = torch.arange(16.0).view(1, 1, 4, 4)  # D2L 14.8
FIRST = torch.zeros(1, dtype=torch.long)


def test_the_books_example() -> None:
    boxes = torch.tensor([[0.0, 0, 20, 20], [0, 10, 30, 30]])
    found = roi_pool(MAP, boxes, torch.zeros(2, dtype=torch.long), 2, scale=0.1)
    assert found[:, 0].tolist() == [[[5, 6], [9, 10]], [[9, 11], [13, 15]]]


def test_alignment_reads_a_slope_exactly_where_pooling_jumps() -> None:
    slope = torch.arange(8.0).expand(1, 1, 8, 8)
    aligned, pooled = [], []
    for shift in (0.0, 0.3, 0.6):
        box = torch.tensor([[1.0 + shift, 1, 5 + shift, 5]])
        aligned.append(float(roi_align(slope, box, FIRST, 1)))
        pooled.append(float(roi_pool(slope, box, FIRST, 1)))
    assert aligned == pytest.approx([3.0, 3.3, 3.6]) and pooled == [5, 5, 6]


def test_half_a_cell_lies_between_the_two_conventions() -> None:
    slope = torch.arange(8.0).expand(1, 1, 8, 8)
    box = torch.tensor([[2.0, 2, 4, 4]])
    assert float(roi_align(slope, box, FIRST, 1)) - float(roi_align(slope, box, FIRST, 1, aligned=True)) == 0.5


@pytest.mark.parametrize("take", [roi_pool, roi_align])
def test_each_region_reads_its_own_picture(take: object) -> None:
    maps = torch.stack([torch.ones(2, 6, 6), 5 * torch.ones(2, 6, 6)])
    boxes = torch.tensor([[1.0, 1, 4, 4], [0, 0, 5, 5], [2, 2, 3, 3]])
    found: Tensor = take(maps, boxes, torch.tensor([1, 0, 1]), 3)  # type: ignore[operator]
    assert found.shape == (3, 2, 3, 3)
    torch.testing.assert_close(found, torch.tensor([5.0, 1, 5]).view(3, 1, 1, 1).expand_as(found))


@pytest.mark.parametrize("take", [roi_pool, roi_align])
def test_outside_of_the_map_is_nothing_and_no_regions_are_none(take: object) -> None:
    far = torch.tensor([[20.0, 20, 30, 30]])
    assert not take(MAP + 1, far, FIRST, 2).any()  # type: ignore[operator]
    assert take(MAP, torch.zeros(0, 4), FIRST[:0], 2).shape == (0, 1, 2, 2)  # type: ignore[operator]


def test_pooling_passes_its_gradient_to_the_largest_cells_only() -> None:
    maps = MAP.clone().requires_grad_()
    roi_pool(maps, torch.tensor([[0.0, 0, 3, 3]]), FIRST, 2).sum().backward()
    assert maps.grad is not None and maps.grad.nonzero()[:, 2:].tolist() == [[1, 1], [1, 3], [3, 1], [3, 3]]
