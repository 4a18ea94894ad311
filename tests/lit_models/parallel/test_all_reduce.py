"""Sums over processes: what one process does, and the formulas; groups are in tests/distributed/test_all_reduce.py."""

import torch

from lit_models.parallel.all_reduce import ALGORITHMS, average, bytes_through


def test_one_process_has_the_sum_already() -> None:
    for name, function in ALGORITHMS.items():
        tensor = torch.arange(5.0)
        function(tensor, None)
        average([tensor], name)  # type: ignore[arg-type]
        assert torch.equal(tensor, torch.arange(5.0))


def test_a_ring_sends_at_most_twice_the_tensor_however_many_processes_there_are() -> None:
    assert [bytes_through("ring", 960, k) for k in (1, 2, 4, 16)] == [0, 960, 1440, 1800]
    assert [bytes_through("naive", 960, k) for k in (1, 2, 4, 16)] == [0, 960, 2880, 14400]
    assert [bytes_through("tree", 960, k) for k in (1, 2, 4, 16)] == [0, 960, 1920, 3840]
