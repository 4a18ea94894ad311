"""Which gradients share a bucket; what happens between processes is in tests/distributed/test_all_reduce.py."""

import pytest
import torch
from torch import nn

from lit_models.parallel.buckets import Buckets, filled


def test_buckets_are_filled_from_the_last_parameter() -> None:
    net = nn.Sequential(nn.Linear(10, 10), nn.Linear(10, 10), nn.Linear(10, 1))
    last, first = list(net.parameters()), 4 * 100
    sizes = [[p.numel() for p in bucket] for bucket in filled(last, first)]
    assert sizes == [[1, 10, 10], [100], [10], [100]]
    assert [len(bucket) for bucket in filled(last, 10**6)] == [6]
    assert [len(bucket) for bucket in filled(last, 1)] == [1] * 6  # a parameter larger than a bucket has its own


def test_a_parameter_without_a_gradient_is_named_instead_of_waited_for() -> None:
    used, unused = nn.Linear(2, 2), nn.Linear(2, 2)
    buckets = Buckets([*used.parameters(), *unused.parameters()])
    used(torch.ones(1, 2)).sum().backward()
    with pytest.raises(RuntimeError, match="2 parameters got no gradient"):
        buckets.finish()


def test_frozen_parameters_are_left_out() -> None:
    layer = nn.Linear(2, 2).requires_grad_(False)
    assert Buckets(layer.parameters()).buckets == []
