"""Colored parts of a picture, and how well segments fit them."""

import torch

from datamodules.vision.colored_solids import draw, random_scenes
from lit_models.functional.segments import best_overlap, colored_parts, random_partition


def picture() -> torch.Tensor:
    """Gray, with a red square of 9 pixels, a blue one of 4 and a green pixel, which is too small."""
    image = torch.full((1, 3, 8, 8), 0.6)
    image[0, :, 1:4, 1:4] = torch.tensor([0.8, 0.1, 0.1])[:, None, None]
    image[0, :, 5:7, 5:7] = torch.tensor([0.1, 0.1, 0.8])[:, None, None]
    image[0, :, 0, 7] = torch.tensor([0.1, 0.8, 0.1])
    return image


def test_parts_are_connected_colored_and_large_enough() -> None:
    found = colored_parts(picture())[0]
    assert found[2, 2] == 1 and found[6, 6] == 2 and found[0, 7] == 0
    assert found.flatten().bincount().tolist() == [64 - 13, 9, 4]
    assert not colored_parts(torch.rand(2, 1, 8, 8).expand(-1, 3, -1, -1)).any()


def test_overlap_is_one_for_the_parts_themselves_and_their_fraction_for_one_segment() -> None:
    parts = colored_parts(picture())
    assert best_overlap(parts, parts) == 1
    torch.testing.assert_close(best_overlap(parts, torch.zeros_like(parts)), torch.tensor((9 / 64 + 4 / 64) / 2))
    halves = (torch.arange(8) >= 5).long().expand(1, 8, 8)  # columns: 40 and 24 pixels
    torch.testing.assert_close(best_overlap(parts, halves), torch.tensor((9 / 40 + 4 / 24) / 2))
    assert best_overlap(torch.zeros_like(parts), halves).isnan()


def test_all_real_scenes_have_one_to_five_parts() -> None:
    images, _ = draw(random_scenes(50, torch.Generator().manual_seed(1)), 16)
    counts = colored_parts(images / 255).flatten(1).amax(1)
    assert int(counts.min()) >= 1 and int(counts.max()) <= 5


def test_a_random_partition_has_all_segments_and_differs_between_squares() -> None:
    found = random_partition(3, 4, 16, torch.Generator().manual_seed(0))
    assert (
        found.shape == (3, 16, 16) and found.unique().tolist() == [0, 1, 2, 3] and not torch.equal(found[0], found[1])
    )
