"""Counting without learning: Otsu's threshold, touching discs, blue spots of two sizes."""

import numpy as np
import pytest
import torch

from datamodules.vision.watershed import count_cells, counts_baseline, otsu, peaks

PINK, BLUE = (200, 130, 140), (90, 60, 160)


def picture(*discs: tuple[int, int, int, tuple[int, int, int]]) -> np.ndarray:
    image = np.full((3, 120, 120), 230, np.uint8)
    y, x = np.mgrid[:120, :120]
    for row, column, radius, color in discs:
        image[:, (y - row) ** 2 + (x - column) ** 2 <= radius**2] = np.array(color, np.uint8)[:, None]
    return image


def test_otsu_is_between_two_groups() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(0, 1, 500), np.random.default_rng(1).normal(8, 1, 300)])

    def within(threshold: float) -> float:
        """The sum of squares around the means of both groups, which Otsu's threshold minimizes."""
        return sum(
            float(((part - part.mean()) ** 2).sum())
            for part in (values[values <= threshold], values[values > threshold])
        )

    assert 2 < otsu(values) < 6
    assert within(otsu(values)) == pytest.approx(min(map(within, np.linspace(1, 7, 200))), rel=0.01)
    assert np.isfinite(otsu(np.zeros(10)))


def test_touching_discs_are_two() -> None:
    mask = picture((40, 40, 12, PINK), (40, 60, 12, PINK))[1] < 200
    found = peaks(mask, 6)
    assert np.abs(found - [[40, 40], [40, 60]]).max() <= 1.5


def test_kinds_are_told_by_color_and_size() -> None:
    image = picture((30, 30, 11, PINK), (30, 80, 11, PINK), (80, 40, 18, BLUE), (90, 95, 4, BLUE))
    assert count_cells(image, 0.055, 0.016, 3).tolist() == [1, 2, 1]
    assert count_cells(image, 0.055, 0.016, 1).tolist() == [4]
    assert count_cells(picture(), 0.055, 0.016, 3).sum() <= 1  # an empty picture


def test_two_numbers_are_chosen_on_training_pictures_and_gray_has_chance_only() -> None:
    images = torch.from_numpy(np.stack([picture((30, 30, 11, PINK), (80, 40, 18, BLUE))] * 3))
    labels = torch.tensor([[1, 2]] * 3)
    split = (images, torch.zeros(3, 2, 4), torch.zeros(3, 2, dtype=torch.bool), labels)
    found = counts_baseline({"train": split, "test": split}, 3)
    assert found["baseline"]["metrics"]["test/count_error"] == found["chance"]["metrics"]["test/count_error"] == 0
    assert set(found["baseline"]["metrics"]) == {"test/count_error", "test/count_error_1", "test/count_error_2"}
    gray = (images[:, :1], *split[1:])
    assert list(counts_baseline({"train": gray, "test": gray}, 3)) == ["chance"]
