"""Batch normalization over processes: the gradients and running statistics of one process on the global batch."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from lit_models.parallel.batch_norm import SynchronizedBatchNorm
from lit_models.parallel.point_to_point import rank, world
from tests.distributed.group import together
from tests.warm import dive, start_ranks, wait


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)).double()


def compare(synchronized: bool) -> dict[str, float]:
    """The largest differences from one process with all rows, relative to the gradient's largest entry."""
    x = torch.randn(6 * world(), 2, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ours, theirs = network(), network()
    for net in (ours, theirs):
        torch.manual_seed(0)
        net(x[:2])
        net[1].reset_running_stats()  # type: ignore[index,operator]
    if synchronized:
        SynchronizedBatchNorm().apply(ours)
    ours(x[rank() * 6 : (rank() + 1) * 6]).square().sum(1).mean().backward()
    theirs(x).square().sum(1).mean().backward()
    worst: dict[str, Any] = {"gradients": 0.0, "statistics": 0.0}
    largest = max(float(p.grad.abs().max()) for p in theirs.parameters())  # type: ignore[union-attr]
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        dist.all_reduce(mine.grad)
        difference = (mine.grad / world() - other.grad).abs().max() / largest  # type: ignore[operator]
        worst["gradients"] = max(worst["gradients"], float(difference))
    for mine, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        worst["statistics"] = max(worst["statistics"], float((mine - other).abs().max()))
    return worst


@pytest.mark.parametrize("processes", [2, 3])
def test_gradients_and_statistics_are_those_of_one_process(processes: int, tmp_path: Path) -> None:
    for found in together(compare, True, world=processes, folder=tmp_path):
        assert max(found.values()) < 1e-10


def statistics_in(dtype: torch.dtype) -> float:
    """How far the running statistics of rows in a lower precision are from one process's in single precision."""
    x = (3 + torch.randn(4 * world(), 2, 16, 16, generator=torch.Generator().manual_seed(1))).to(dtype)
    ours, theirs = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    SynchronizedBatchNorm().apply(ours)
    assert ours(x[rank() * 4 : (rank() + 1) * 4]).dtype == dtype
    theirs(x.float())
    return max(float((mine - its).abs().max()) for mine, its in zip(ours.buffers(), theirs.buffers(), strict=True))


def test_half_precision_has_the_statistics_of_single(tmp_path: Path) -> None:
    assert max(together(statistics_in, torch.bfloat16, folder=tmp_path)) < 1e-5


def test_each_process_by_itself_differs(tmp_path: Path) -> None:
    for found in together(compare, False, folder=tmp_path):
        assert found["gradients"] > 1e-3 and found["statistics"] > 1e-3


@pytest.mark.slow
def test_the_preset_trains_a_network_with_batch_normalization(tmp_path: Path) -> None:
    run = tmp_path / "runs/cnn/batch_norm/1"
    run.mkdir(parents=True)
    env: dict[str, str | None] = {"DIVE_RUNS": str(tmp_path / "runs"), "DIVE_RUN_DIR": str(run)}
    words = ["cnn/resnet", "-c", "trainer/sync_batch_norm", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]
    few = ["--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1", "--data.batch_size", "4"]
    codes = wait(*start_ranks(dive, "fit", *words, *few, folder=tmp_path, env=env))
    assert codes == [0, 0], (tmp_path / "rank0.log").read_text()[-2000:]
