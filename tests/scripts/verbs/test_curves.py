"""`dive curves`: seeds become a mean with Student's interval, settings lines of their own; what is missing is said."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import t

from common.messages import UserError
from scripts.cli import main
from scripts.verbs import curves
from scripts.verbs.curves import Line, collect, names


def run(root: Path, name: str, seed: int, rate: float, values: list[float], recipe: str = "cnn/lenet") -> Path:
    """A run folder whose validation accuracy goes through these values, an epoch each."""
    folder = root / recipe / name
    folder.mkdir(parents=True)
    config = {"seed_everything": seed, "model": {"init_args": {"lr": rate}}, "trainer": {"default_root_dir": name}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    rows = ["step,epoch,train/loss,val/acc", *(f"{10 * k + 9},{k},,{value}" for k, value in enumerate(values))]
    (folder / "metrics.csv").write_text("\n".join([*rows, "5,0,0.3,"]) + "\n")
    return folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path))
    return tmp_path


def test_seeds_are_one_line_with_students_interval_and_settings_are_lines_of_their_own(root: Path) -> None:
    seeds = [[0.1, 0.5], [0.2, 0.7], [0.3, 0.6, 0.9]]  # the third went on for longer
    for k, values in enumerate(seeds):
        run(root, f"a{k}", k, 0.1, values)
    run(root, "b", 0, 0.2, [0.4, 0.4])
    found = collect(["lenet"], "val/acc", "epoch")
    assert [len(line.curves) for line in found] == [3, 1]
    places, mean, half = found[0].band()
    assert places.tolist() == [0, 1] and mean == pytest.approx([0.2, 0.6])
    assert half == pytest.approx(t.ppf(0.975, 2) * 0.1 / 3**0.5 * np.ones(2))
    assert found[1].band()[2].tolist() == [0, 0]
    assert names(found) == ["cnn/lenet, lr 0.1", "cnn/lenet, lr 0.2"]


def test_the_command_draws_says_the_last_values_and_takes_run_folders(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(run(root, f"a{k}", k, 0.1, [0.1, 0.5 + k / 10])) for k in range(2)]
    assert main(["curves", "lenet", "--metric", "val/acc"]) == 0
    said = capsys.readouterr().out
    assert "cnn/lenet: 2 seeds, val/acc 0.55" in said and "at step 19" in said
    assert (root / "curves_val_acc.png").stat().st_size > 1000
    assert main(["curves", *folders, "--metric", "val/acc", "--x", "epoch", "--out", str(root / "x.png")]) == 0
    assert capsys.readouterr().out.count("1 run, val/acc") == 2 and (root / "x.png").is_file()


def test_what_is_missing_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="no run of cnn/lenet"):
        collect(["lenet"], "val/acc", "step")
    run(root, "a", 0, 0.1, [0.1])
    with pytest.raises(UserError, match=r"no run of cnn/lenet has val/ac over step: did you mean 'val/acc'"):
        collect(["lenet"], "val/ac", "step")
    with pytest.raises(UserError, match=r"has val/acc over epok: did you mean 'epoch'"):
        collect(["lenet"], "val/acc", "epok")
    (run(root, "empty", 1, 0.1, []) / "metrics.csv").write_text("step,epoch\n")
    assert len(collect(["lenet"], "val/acc", "step")[0].curves) == 1
    assert "1 of 2 runs have no val/acc" in "".join(capsys.readouterr())
    with pytest.raises(UserError, match="--out"):
        curves.main(["lenet", "--metric", "val/acc", "--out", str(root / "x.nothing")])


def test_runs_without_a_common_place_are_refused(root: Path) -> None:
    run(root, "a", 0, 0.1, [0.1])
    other = run(root, "b", 1, 0.1, [0.2])
    (other / "metrics.csv").write_text("step,epoch,val/acc\n7,0,0.2\n")
    with pytest.raises(UserError, match="no step in common"):
        collect(["lenet"], "val/acc", "step")
    assert isinstance(collect(["lenet"], "val/acc", "epoch")[0], Line)


def test_places_that_differ_are_met_on_straight_lines() -> None:
    line = Line("cnn/lenet", {}, [{0.0: 0.0, 10.0: 1.0, 20.0: 3.0}, {5.0: 1.0, 15.0: 2.0, 25.0: 4.0}])
    places, mean, half = line.band()
    assert places.tolist() == [10, 20]
    assert mean == pytest.approx([(1.0 + 1.5) / 2, (3.0 + 3.0) / 2]) and half[0] > half[1]


DROPOUT = {"class_path": "callbacks.dropout.Dropout", "init_args": {"p": 0.2}}
EMA = {"class_path": "callbacks.weight_averaging.WarmupEMA"}


def change(folder: Path, *callbacks: dict[str, Any], seed: Any = 0) -> None:
    """Gives a run callbacks and a seed."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["seed_everything"], config["trainer"]["callbacks"] = seed, list(callbacks)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def test_runs_with_other_callbacks_are_lines_of_their_own(root: Path) -> None:
    every = {"class_path": "callbacks.best_checkpoint.BestCheckpoint", "init_args": {"monitor": "val/acc"}}
    picture, logger = (
        {"class_path": "callbacks.pictures.kernels.Kernels"},
        {"class_path": "callbacks.wandb_run.WandbRun"},
    )
    stronger = DROPOUT | {"init_args": {"p": 0.5}}
    for k, callbacks in enumerate(
        [[], [every, picture, logger], [DROPOUT], [EMA], [stronger], [DROPOUT, stronger], [DROPOUT]]
    ):
        change(run(root, f"a{k}", 0, 0.1, [0.5, k / 10]), *callbacks, seed=k)
    found = collect(["lenet"], "val/acc", "epoch")
    assert [len(line.curves) for line in found] == [2, 2, 1, 1, 1]
    assert "cnn/lenet, p 0.2, p not set, WarmupEMA not set" in names(found)
    assert any("WarmupEMA set" in name for name in names(found)) and len(set(names(found))) == 5


def test_of_several_runs_of_a_seed_the_newest_counts(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for k, seed in enumerate([0, 0, 1, False, False, 0]):  # without a seed, every run is another
        folder = run(root, f"a{k}", 0, 0.1, [0.5, k / 10])
        change(folder, seed=seed)
        os.utime(folder / "config.yaml", (k, k))
    (line,) = collect(["lenet", "cnn/lenet"], "val/acc", "epoch")  # named twice
    assert sorted(curve[1.0] for curve in line.curves) == pytest.approx([0.2, 0.3, 0.4, 0.5])
    assert "cnn/lenet: 2 runs have the settings and the seed of a newer one" in "".join(capsys.readouterr())
