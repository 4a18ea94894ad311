"""``submission.csv`` by command: classes or probabilities, ids in the order of their numbers."""

import csv
from pathlib import Path

import pytest

from scripts.cli import main
from scripts.front.runs import newest_run
from tests.datamodules.vision.test_kaggle_folder import competition

RECIPE = "cnn/resnet_kaggle_cifar10"


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_a_competition_from_its_folder_to_a_submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    root = competition(tmp_path / "competition", tests=11, table="labels.csv")
    data = ["--data", "KaggleFolder", "--data.root", str(root), "--data.everything", "true"]
    small = ["--model.depth", "10", "--model.width", "2", "--model.views", "2", "--trainer.max_epochs", "1"]
    assert main(["fit", RECIPE, *data, *small]) == 0
    assert main(["predict", RECIPE]) == 0
    submitted, predicted = (rows_of(newest_run(RECIPE) / name) for name in ("submission.csv", "predictions.csv"))
    assert submitted[0] == ["id", "label"] and [row[0] for row in submitted[1:]] == [str(k) for k in range(1, 12)]
    assert [row[:2] for row in predicted[1:]] == submitted[1:]
    (root / "sampleSubmission.csv").write_text("id,dark,light\n")
    assert main(["predict", RECIPE]) == 0
    header, *rows = rows_of(newest_run(RECIPE) / "submission.csv")
    assert header == ["id", "dark", "light"] and len(rows) == 11
    assert all(abs(sum(map(float, row[1:])) - 1) < 1e-4 for row in rows)
