"""The book's examples, and which algorithm is the fastest."""

import math

import pytest

from lit_models.parallel import cost_model as cost
from lit_models.parallel.cost_model import GB, MB


def test_the_books_times_for_160_megabytes() -> None:
    """D2L 13.7: 60, 80, 15 and about 6 ms."""
    assert cost.on_one_device(160 * MB, 16 * GB, 4) == pytest.approx(60e-3)
    assert cost.through_the_cpu(160 * MB, 16 * GB, 4) == pytest.approx(80e-3)
    assert cost.a_part_on_each(160 * MB, 16 * GB, 4) == pytest.approx(15e-3)
    assert cost.around_a_ring_of_the_book(160 * MB, 3 * 18 * GB) == pytest.approx(6e-3, rel=0.02)
    assert cost.around_a_ring(160 * MB, 3 * 18 * GB, 8) == pytest.approx(5.2e-3, rel=0.01)


def test_a_tree_is_the_fastest_for_small_tensors_and_a_ring_for_large_ones() -> None:
    assert cost.fastest(100, 1 * GB, 64, 50e-6) == "tree"
    assert cost.fastest(100 * MB, 1 * GB, 64, 50e-6) == "ring"
    assert cost.along_a_tree(1, 1, 5) == 2 * 3  # five processes need three levels


def test_latency_and_bandwidth_are_found_again() -> None:
    sizes = [8.0 * 8**k for k in range(8)]
    latency, bandwidth = cost.fit(sizes, [30e-6 + n / 2e9 for n in sizes])
    assert math.isclose(latency, 30e-6, rel_tol=1e-6) and math.isclose(bandwidth, 2e9, rel_tol=1e-6)
