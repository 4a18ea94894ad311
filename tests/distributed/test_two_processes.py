"""Two gloo processes on the same global batch give what one process gives."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]
ENV = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
SECONDS = 240


def run(folder: Path, world: int) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.distributed.two_processes", str(folder), str(world)]
    subprocess.run(command, cwd=ROOT, env=ENV, check=True, capture_output=True, timeout=SECONDS)
    return json.loads((folder / f"world{world}.json").read_text())


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("worlds")
    return run(folder / "one", 1), run(folder / "two", 2), folder


def test_weights_are_equal(both: tuple[dict[str, Any], dict[str, Any], Path]) -> None:
    one, two, _ = both
    assert torch.tensor(one["weights"]).sub(torch.tensor(two["weights"])).abs().max() < 1e-10


@pytest.mark.parametrize("name", ["train/loss", "val/loss", "val/acc", "test/loss", "test/acc"])
def test_metrics_are_equal(name: str, both: tuple[dict[str, Any], dict[str, Any], Path]) -> None:
    one, two, _ = both
    assert one["metrics"][name] == pytest.approx(two["metrics"][name], rel=1e-6)


def test_predictions_are_the_same_rows_in_the_same_order(both: tuple[dict[str, Any], dict[str, Any], Path]) -> None:
    tables = [list(csv.DictReader((both[2] / name / "predictions.csv").open())) for name in ("one", "two")]
    assert len(tables[0]) == 11
    assert tables[0] == tables[1]


def test_each_ranks_random_state_is_saved(both: tuple[dict[str, Any], dict[str, Any], Path]) -> None:
    saved = torch.load(both[2] / "two/world2.ckpt", weights_only=True)
    assert len(saved["random_state"]) == 2


def test_the_command_makes_one_folder_for_two_processes(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "scripts.cli",
        "fit",
        "cnn/lenet",
        "-c",
        "trainer/ddp",
        "--trainer.accelerator",
        "cpu",
    ]
    quick = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1"]
    env = ENV | {"DIVE_RUNS": str(tmp_path)}
    subprocess.run([*command, *quick], cwd=ROOT, env=env, check=True, capture_output=True, timeout=SECONDS)
    runs = list((tmp_path / "cnn/lenet").iterdir())
    assert len(runs) == 1
    record = json.loads((runs[0] / "run.json").read_text())
    assert record["processes"] == 2 and record["status"] == "finished"
    assert sorted(p.name for p in (runs[0] / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
