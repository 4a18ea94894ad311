"""A server and its workers in as many processes give what one process gives that computes for all of them."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.warm import dive, start, start_ranks, wait

RECIPE = "parallel/parameter_server"
FIT = [
    *("fit", RECIPE, "--trainer.accelerator", "cpu", "--trainer.limit_train_batches", "6"),
    *("--trainer.limit_val_batches", "1", "--trainer.max_epochs", "2", "--model.lr_scheduler", "null"),
]


def checkpoint_of(folder: Path, processes: int, mode: str, *words: str) -> dict[str, Any]:
    path = folder / "runs" / RECIPE / "1"
    path.mkdir(parents=True, exist_ok=True)
    env: dict[str, str | None] = {"DIVE_RUNS": str(folder / "runs"), "DIVE_RUN_DIR": str(path)}
    words = (*FIT, "--model.mode", mode, "--data.batch_size", str(24 // processes), *words)
    words = (*words, "--model.workers", "2", "--trainer.devices", str(processes))
    if processes == 1:
        ranks = [start(dive, *words, log=folder / "rank0.log", env=env)]
    else:
        ranks = start_ranks(dive, *words, world=processes, folder=folder, env=env)
    assert wait(*ranks) == [0] * processes, "\n".join(p.read_text()[-2000:] for p in folder.glob("rank*.log"))
    return torch.load(path / "checkpoints/last.ckpt", weights_only=True)


def furthest(a: dict[str, Any], b: dict[str, Any]) -> float:
    return max(float((a["state_dict"][name] - value).abs().max()) for name, value in b["state_dict"].items())


@pytest.mark.slow
@pytest.mark.parametrize("mode", [pytest.param("synchronous", marks=pytest.mark.slow), "asynchronous"])
def test_two_processes_are_two_workers(mode: str, tmp_path: Path) -> None:
    one, two = (checkpoint_of(tmp_path / str(k), k, mode) for k in (1, 2))
    assert furthest(one, two) < 1e-5
    assert float((one["workers"] - two["workers"]).abs().max()) < 1e-5  # what each worker has
    resumed = checkpoint_of(tmp_path / "2", 2, mode, "--resume", "--trainer.max_epochs", "3")
    straight = checkpoint_of(tmp_path / "straight", 1, mode, "--trainer.max_epochs", "3")
    assert furthest(resumed, straight) < 1e-4
