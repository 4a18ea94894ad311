"""Chance and a baseline beside the result on a person's own data."""

from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.base import TensorDataModule
from datamodules.text.text_table import TextTable
from scripts.cli import main
from scripts.front.honest import compare, kind_of, verdict
from tests.datamodules.text.test_text_table import write


class Own(TensorDataModule):
    """Rows of a person whose class is the sign of the first number."""

    own_path = "mine.csv"

    def load(self, stage: str) -> dict[str, Any]:
        x = torch.randn(80, 3, generator=torch.Generator().manual_seed(0))
        split = (x, (x[:, 0] > 0).long())
        return {"train": split, "val": split, "test": split}


def test_a_better_baseline_is_said_with_what_to_try() -> None:
    lines = compare(Own(), {"test/acc": 0.6, "test/loss": 1.0})
    assert [line.split()[0] for line in lines[:2]] == ["chance", "baseline"] and "logistic regression" in lines[1]
    assert "the simple baseline is better than this run" in lines[2] and "0.6000" in lines[2] and "try" in lines[2]
    assert len(compare(Own(), {"test/acc": 1.0, "test/loss": 0.0})) == 2  # nothing to advise


def test_data_of_the_project_and_other_files_have_no_comparison() -> None:
    public, other = Own(), Own()
    public.own_path, other.other_file = "", True  # type: ignore[attr-defined]
    assert compare(public, {"test/acc": 0.1}) == compare(other, {"test/acc": 0.1}) == []


def test_a_generator_is_not_compared_with_classifiers_by_its_loss() -> None:
    assert compare(Own(), {"test/loss": 14.9, "test/kid": 0.1}) == []


def test_a_folder_without_classes_has_no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Own()
    data.unlabeled = True  # type: ignore[attr-defined]
    monkeypatch.setattr("scripts.front.honest.baselines", lambda data: pytest.fail("it has one class"))
    assert compare(data, {"test/kid": 0.1}) == []


@pytest.mark.parametrize(("key", "result", "worse"), [("test/rmse", 1.0, 2.0), ("test/bits_per_character", 2.0, 3.0)])
def test_for_errors_less_is_better(key: str, result: float, worse: float) -> None:
    found = {"baseline": {"what": "x", "metrics": {key: worse}}}
    assert verdict("tabular", found, {key: result}) == []
    assert key in verdict("tabular", found, {key: worse + 1})[0]


def test_the_advice_is_for_the_kind_of_data(tmp_path: Path) -> None:
    from datamodules.text.text_file import TextFile

    (tmp_path / "a.txt").write_text("some text " * 9)
    assert kind_of(TextFile(path=str(tmp_path / "a.txt"))) == "language"
    assert kind_of(TextTable(path=str(write(tmp_path / "a.csv")))) == "text"


def test_large_images_are_compared_in_small() -> None:
    class Pictures(Own):
        def load(self, stage: str) -> dict[str, Any]:
            y = torch.arange(40) % 2
            split = (torch.rand(40, 3, 48, 48) + y[:, None, None, None], y)
            return {"train": split, "val": split, "test": split}

    lines = compare(Pictures(), {"test/acc": 0.5})
    assert "16 x 16 pixels" in lines[1] and "test/acc 1.0000" in lines[1]


def test_dive_test_prints_them_beside_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit = ["fit", "text/text_cnn", "--data", "TextTable", "--data.path", str(write(tmp_path / "a.csv"))]
    assert main([*fit, "--trainer.max_epochs", "1"]) == 0
    capsys.readouterr()
    assert main(["test", "text/text_cnn"]) == 0
    found = capsys.readouterr()
    lines = found.out.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("test/acc"))
    assert any(line.startswith("  chance   test/acc 0.5000") for line in lines[place:])
    assert any("TF-IDF" in line for line in lines[place:]) and found.err.count("note: read ") == 1
