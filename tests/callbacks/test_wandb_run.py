"""The contents of the dashboards, read from their files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.front.build import build
from scripts.front.recipes import CONFIGS
from scripts.front.runs import newest_run, wandb_id
from tests.warm import dive, start, wait

LENET = "cnn/lenet"
QUICK = ["--trainer.limit_train_batches", "4", "--trainer.limit_val_batches", "1", "--trainer.log_every_n_steps", "2"]


def run(folder: Path, log: str, *words: str) -> None:
    env: dict[str, str | None] = {"DIVE_RUNS": str(folder / "runs"), "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    env["WANDB__SERVICE_WAIT"] = "300"  # seconds for its helper process to start, on a machine that others use too
    assert wait(start(dive, *words, *QUICK, log=folder / log, env=env)) == [0], (folder / log).read_text()[-2000:]


def records(file: Path) -> list[dict[str, Any]]:
    """The records of a run's file, by W&B's own reader."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs of LeNet, then a resume to three."""
    root = tmp_path_factory.mktemp("wandb")
    run(root, "1.log", "fit", LENET, "-c", "logger/wandb", "--trainer.max_epochs", "2")
    run(root, "2.log", "fit", LENET, "--resume", "--trainer.max_epochs", "3")
    return root


@pytest.fixture(scope="module")
def written(folder: Path) -> list[list[dict[str, Any]]]:
    files = sorted(folder.rglob("*.wandb"), key=lambda path: path.stat().st_mtime)
    assert len(files) == 2
    return [records(file) for file in files]


def of_kind(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [row[kind] for row in rows if row["type"] == kind]


def test_metrics_are_those_of_metrics_csv(written: list[list[dict[str, Any]]], folder: Path) -> None:
    history = [row["item"] for rows in written for row in of_kind(rows, "history")]
    (table,) = folder.rglob("metrics.csv")
    lines = [line.split(",") for line in table.read_text().splitlines()]
    column = lines[0].index("val/acc")
    expected = [float(line[column]) for line in lines[1:] if line[column]]
    assert [row["val/acc"] for row in history if "val/acc" in row] == expected
    assert len(expected) == 3


def test_the_whole_config_and_the_version_of_the_code_are_there(written: list[list[dict[str, Any]]]) -> None:
    config: dict[str, Any] = {}
    for row in of_kind(written[0], "config"):
        config |= row["update"]
    assert config["data"]["class_path"] == "datamodules.vision.mnist.MNIST5k"
    assert config["model"]["init_args"]["optimizer"]["init_args"]["lr"] == 0.003
    assert config["seed_everything"] == 0 and config["trainer"]["max_epochs"] == 2
    assert config["commit"] and config["versions"]["torch"]


def test_the_pictures_and_the_best_checkpoint_are_there(written: list[list[dict[str, Any]]]) -> None:
    assert any(row["item"].get("curves._type") == "images/separated" for row in of_kind(written[0], "history"))
    (artifact,) = of_kind(written[0], "artifact")
    assert "best" in artifact["aliases"] and artifact["type"] == "model"
    assert "best.ckpt" in json.dumps(artifact["manifest"])


def test_a_resumed_run_keeps_its_id(written: list[list[dict[str, Any]]]) -> None:
    ids = [of_kind(rows, "run")[0]["run_id"] for rows in written]
    assert ids[0] == ids[1]
    steps = [[row["item"]["trainer/global_step"] for row in of_kind(rows, "history")] for rows in written]
    assert max(steps[0]) <= 8 <= min(steps[1])


def test_the_id_lies_in_the_runs_folder_and_a_sweep_gives_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wandb_id(tmp_path) == wandb_id(tmp_path)
    monkeypatch.setenv("WANDB_RUN_ID", "fromsweep")
    (tmp_path / "other").mkdir()
    assert wandb_id(tmp_path / "other") == "fromsweep"


def test_tensorboard_has_the_metrics_and_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path, "log", "fit", LENET, "-c", "logger/tensorboard", "--trainer.max_epochs", "1")
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    events = EventAccumulator(str(newest_run(LENET) / "tensorboard"))
    events.Reload()
    assert {"train/loss", "val/loss", "val/acc"} <= set(events.Tags()["scalars"])
    assert "curves" in events.Tags()["images"]


def test_the_sweep_runs_a_recipe_with_options_that_exist() -> None:
    sweep = yaml.safe_load((CONFIGS / "wandb_sweep.yaml").read_text())
    command = sweep["command"]
    at = command.index("fit")
    assert command[at - 1] == "dive" and command[-1] == "${args}"
    words = []
    for name, choice in sweep["parameters"].items():
        words.append(
            f"--{name}={choice['values'][0] if 'values' in choice else choice['min']}"
        )  # as W&B's agent writes them
    _, model, data = build([*command[at + 1 : -1], *words])
    assert model.label_smoothing == 0.0 and data.batch_size == 32  # type: ignore[union-attr]
    assert model.configure_optimizers()["optimizer"].param_groups[0]["lr"] == 0.0003  # type: ignore[operator,index]
