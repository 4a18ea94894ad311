"""Sums and means over processes, in one; two are in tests/distributed."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from common.messages import UserError
from lit_models.tasks import processes
from lit_models.tasks.processes import (
    EpochMean,
    gather_equal,
    gather_rows,
    mean_over_processes,
    own_rows,
    rank_and_world,
    shard,
)
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


def test_epoch_mean_weighs_by_counts_on_the_device_too() -> None:
    mean = EpochMean()
    mean.update(0, torch.tensor(1.0), torch.tensor(3))
    mean.update(0, torch.tensor(5.0), torch.tensor(1))
    assert float(mean.compute(0, alone)) == 2.0


@pytest.mark.parametrize(("rank", "world", "expected"), [(0, 2, 2.0), (1, 2, 12.0), (0, 3, 14.0), (1, 3, 0.0)])
def test_a_restored_sum_goes_to_the_rank_that_saved_it_or_all_to_the_first(
    rank: int, world: int, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: world)
    mean = EpochMean()
    mean.restore({"epoch": 0, "total": torch.tensor([[2.0, 1.0], [12.0, 4.0]])})
    assert float(mean.state(alone)["total"][0, 0]) == expected


def process(rank: int, world: int, **strategy: Any) -> Any:
    """A model in one of several processes."""
    trainer = SimpleNamespace(global_rank=rank, world_size=world, strategy=SimpleNamespace(**strategy))
    return SimpleNamespace(_trainer=trainer, trainer=trainer)


def test_each_process_has_every_other_row_and_means_are_means(monkeypatch: pytest.MonkeyPatch) -> None:
    model, mine = process(1, 2), torch.tensor(3.0)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda total: total.add_(4))
    assert own_rows(model, "abcdefgh", start=1, count=2) == ["d", "f"]
    assert float(mean_over_processes(model, mine)) == 3.5
    assert float(mine) == 3.0


def test_tensors_are_gathered_on_the_device_of_the_processes() -> None:
    """After training the model is on the CPU, from which NCCL sends nothing."""
    model = process(0, 2, root_device=torch.device("meta"), all_gather=lambda value: value)
    assert gather_equal(model, torch.zeros(2)).device.type == "meta"


def test_layers_that_share_a_parameter_are_sharded_with_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    model = SmallNet()
    model.net = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3), torch.nn.Linear(3, 2))
    model.net[1].weight = model.net[0].weight
    sharded: list[Any] = []
    monkeypatch.setattr(processes, "fully_shard", lambda module, mesh: sharded.append(module))
    shard(model, mesh=None)
    assert sharded == [model.net[2], model.net]
