"""Measures of generated points."""

from typing import Any

import pytest
import torch

from lit_models.functional.generated_pictures import frechet_distance, kernel_distance, precision_recall
from lit_models.functional.point_measures import energy_distance, modes_covered, moments


class OnApple(torch.Tensor):
    """A tensor on a device without double precision."""

    device = torch.device("mps")  # type: ignore[assignment]

    def double(self, *_: Any) -> torch.Tensor:
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")

    def cpu(self, *_: Any) -> torch.Tensor:
        return self.as_subclass(torch.Tensor)


def test_energy_distance_is_zero_of_equal_sets_and_the_double_sum_of_others() -> None:
    x, y = torch.randn(20, 3), torch.randn(30, 3) + 1
    assert float(energy_distance(x, x)) == pytest.approx(0, abs=1e-9)

    def mean(a: torch.Tensor, b: torch.Tensor) -> float:
        return sum(float((p - q).norm()) for p in a for q in b) / (len(a) * len(b))

    assert float(energy_distance(x, y)) == pytest.approx(2 * mean(x, y) - mean(x, x) - mean(y, y), rel=1e-4)


def test_energy_distance_sees_a_spread_that_the_mean_does_not() -> None:
    torch.manual_seed(0)
    x = torch.randn(500, 2)
    assert energy_distance(x, torch.randn(500, 2)) < 0.02 < energy_distance(x, 2 * torch.randn(500, 2))


def test_moments_are_the_unbiased_ones() -> None:
    x = torch.randn(50, 3, dtype=torch.float64)
    mean, covariance = moments(x)
    torch.testing.assert_close(mean, x.sum(0) / 50)
    torch.testing.assert_close(covariance, (x - mean).T @ (x - mean) / 49)


def test_a_mode_needs_a_sample_within_three_standard_deviations() -> None:
    modes = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    x = torch.tensor([[0.2, 0.0], [0.0, 0.29], [10.0, 0.31], [5.0, 5.0]])
    covered, good = modes_covered(x, modes, 0.1)
    assert int(covered) == 1 and float(good) == 0.5


def test_measures_of_a_device_without_double_precision_are_taken_on_the_cpu() -> None:
    x, y = torch.randn(20, 3), torch.randn(30, 3)
    one, two = (t.as_subclass(OnApple) for t in (x, y))  # type: ignore[type-var]
    for measure in (energy_distance, frechet_distance, kernel_distance, precision_recall):
        torch.testing.assert_close(measure(one, two), measure(x, y))  # type: ignore[operator]
    torch.testing.assert_close(moments(one), moments(x))
