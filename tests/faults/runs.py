"""Starts, watches and compares the runs of ``training.py``."""

from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks.metrics_csv import read_metrics
from tests.faults.training import train
from tests.warm import SECONDS, start, start_ranks, wait


def launch(folder: Path, world: int = 1, **settings: Any) -> list[BaseProcess]:
    target = partial(train, folder, world, **settings)
    return start_ranks(target, world=world, folder=folder) if world > 1 else [start(target, log=folder / "log")]


def run(folder: Path, world: int = 1, **settings: Any) -> None:
    assert wait(*launch(folder, world, **settings)) == [0] * world, logs(folder)


def logs(folder: Path) -> str:
    return "\n".join(path.read_text()[-3000:] for path in sorted(folder.glob("*log")))


def until(pipe: Any, step: int, folder: Path) -> int:
    """Waits until a run begins a step; returns the step it is at."""
    at = 0
    while at < step:
        try:
            assert pipe.poll(SECONDS), logs(folder)
            at = pipe.recv()
        except EOFError:
            pytest.fail(logs(folder))
    return at


def check_equal(whole: Path, resumed: Path) -> None:
    """Everything that the two runs left: weights, averages, optimizer, schedule, counts, random states, metrics."""
    for name in ("last", "best"):
        one, other = (load(folder, name) for folder in (whole, resumed))
        assert one.keys() == other.keys()
        for key in one:
            assert same(one[key], other[key]), f"{name}.ckpt: {key} is another"
    one, other = (rows(folder) for folder in (whole, resumed))
    assert one == other


def load(folder: Path, name: str) -> dict[str, Any]:
    """A checkpoint without what depends on the clock and the folder's name."""
    content = torch.load(folder / f"checkpoints/{name}.ckpt", weights_only=True)
    content["callbacks"] = {key: value for key, value in content["callbacks"].items() if "RunRecord" not in key}
    for state in content["callbacks"].values():
        for key in [key for key in state if "path" in key or key == "best_k_models"]:
            del state[key]
    row = content.get("epoch_row", {})
    content["epoch_row"] = {key: value for key, value in row.items() if not key.startswith("time/")}
    del content["loops"]  # how often a loop was entered
    return content


def rows(folder: Path) -> list[dict[str, Any]]:
    found = read_metrics(folder / "metrics.csv")
    return [{key: value for key, value in row.items() if not key.startswith("time/")} for row in found]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
