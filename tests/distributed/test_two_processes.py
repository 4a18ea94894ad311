"""Two gloo processes on the same global batch give what one process gives."""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.distributed.two_processes import train
from tests.warm import start_ranks, wait

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trains in one process or two, each way once; returns what came out."""
    known: dict[Any, dict[str, Any]] = {}

    def result(world: int, kind: str = "ddp", rows: int = 48, batch: int = 12) -> dict[str, Any]:
        key = (world, kind, rows, batch)
        if key not in known:
            folder = tmp_path_factory.mktemp(f"{kind}{world}")
            codes = wait(*start_ranks(partial(train, folder, *key), world=world, folder=folder))
            assert codes == [0] * world, (folder / "rank0.log").read_text()[-2000:]
            known[key] = json.loads((folder / "out.json").read_text()) | {"folder": folder}
        return known[key]

    return result


def difference(one: Any, two: Any) -> float:
    return float((torch.tensor(one) - torch.tensor(two)).abs().max())


@pytest.mark.parametrize("what", ["losses", "gradients", "weights"])
def test_losses_gradients_and_weights_are_equal(what: str, run: Run) -> None:
    one, two = run(1)[what], run(2)[what]
    assert len(one) == len(two) > 0
    assert difference(one, two) < 1e-10


@pytest.mark.parametrize("name", ["train/loss", "val/loss", "val/acc", "test/loss", "test/acc"])
def test_metrics_are_equal(name: str, run: Run) -> None:
    assert run(1)["metrics"][name] == pytest.approx(run(2)["metrics"][name], rel=1e-6)


def test_predictions_are_the_same_rows_in_the_same_order(run: Run) -> None:
    tables = [list(csv.DictReader((run(world)["folder"] / "predictions.csv").open())) for world in (1, 2)]
    assert len(tables[0]) == 11  # which two processes do not divide: each is predicted once
    assert tables[0] == tables[1]


def test_a_count_that_does_not_divide_leaves_a_sample_to_the_next_epoch(run: Run) -> None:
    assert difference(run(1, rows=45)["weights"], run(2, rows=45)["weights"]) > 1e-4


def test_each_ranks_random_state_is_saved(run: Run) -> None:
    saved = torch.load(run(2)["folder"] / "last.ckpt", weights_only=True)
    assert len(saved["random_state"]) == 2


@pytest.mark.parametrize(("batch", "least", "most"), [(12, 0.03, 0.3), (480, 0.001, 0.02)])
def test_batch_normalization_differs_the_more_the_smaller_the_share(
    batch: int, least: float, most: float, run: Run
) -> None:
    """docs/many_processes.md states the sizes: each process normalizes by the mean and variance of its own rows."""
    runs = [run(world, "batch_norm", rows=480, batch=batch) for world in (1, 2)]
    one, two = (torch.tensor(result["gradients"][0]) for result in runs)
    share = float((one - two).norm() / one.norm())
    print(f"batch normalization, {batch // 2} rows a process: off by {share:.3f} of the gradient")
    assert least < share < most


def test_torchs_synchronized_batch_normalization_refuses_the_cpu(tmp_path: Path) -> None:
    assert wait(*start_ranks(partial(train, tmp_path, 2, "sync_batch_norm"), folder=tmp_path)) == [1, 1]
    assert "SyncBatchNorm layers only work with GPU modules" in (tmp_path / "rank0.log").read_text()
