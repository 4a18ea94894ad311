"""Sums and means over processes, in one; two are in tests/distributed."""

import math

import pytest
import torch

from common.messages import UserError
from lit_models.tasks.processes import EpochMean, gather_rows, own_rows, rank_and_world, shard
from tests.small import SmallNet


def alone(x: torch.Tensor) -> torch.Tensor:
    """The gather of a single process."""
    return x


def test_epoch_mean_weighs_by_count() -> None:
    mean = EpochMean()
    mean.update(0, torch.tensor(1.0), 3)
    mean.update(0, torch.tensor(5.0), 1)
    assert float(mean.compute(0, alone)) == 2.0


def test_epoch_mean_drops_the_epoch_before() -> None:
    mean = EpochMean()
    mean.update(0, torch.tensor(100.0), 1)
    mean.update(1, torch.tensor(1.0), 1)
    assert float(mean.compute(1, alone)) == 1.0
    assert math.isnan(float(mean.compute(2, alone)))


def test_epoch_mean_goes_on_after_a_resume() -> None:
    first, second = EpochMean(), EpochMean()
    first.update(4, torch.tensor(1.0), 2)
    second.restore(first.state(alone))
    second.update(4, torch.tensor(4.0), 1)
    assert float(second.compute(4, alone)) == 2.0


def test_epoch_mean_of_more_ranks_is_kept_whole() -> None:
    mean = EpochMean()
    mean.restore({"epoch": 0, "total": torch.tensor([[2.0, 1.0], [4.0, 2.0]])})  # saved by two ranks, loaded by one
    assert float(mean.compute(0, alone)) == 2.0


def test_what_lies_outside_of_net_is_not_sharded() -> None:
    model = SmallNet()
    model.scale = torch.nn.Parameter(torch.ones(()))
    with pytest.raises(UserError, match="SmallNet has parameters outside of `net`"):
        shard(model, mesh=None)


def test_a_single_number_is_not_sharded() -> None:
    model = SmallNet()
    model.net.append(torch.nn.Module())
    model.net[-1].scale = torch.nn.Parameter(torch.ones(()))
    with pytest.raises(UserError, match=r"cannot divide 4.scale of SmallNet, a single number"):
        shard(model, mesh=None)


def test_one_process_has_all_rows() -> None:
    model = SmallNet()
    assert rank_and_world(model) == (0, 1)
    assert gather_rows(model, ["a", "b"]) == ["a", "b"]
    assert own_rows(model, "abcde", start=2, count=2) == ["c", "d"]
