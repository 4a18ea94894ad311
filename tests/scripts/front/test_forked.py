"""A command in a forked process: its exit code, its words, its variables."""

import os
from pathlib import Path

import pytest

from scripts.front.forked import run


def test_a_mistake_has_its_exit_code_and_line() -> None:
    assert run(["nonsense"], {}) == (2, "dive: no command 'nonsense': see dive --help\n")


def test_a_command_gets_its_variables_and_no_others_are_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "ours"))
    quick = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.accelerator", "cpu"]
    code, output = run(["fit", "linear/linear_regression", *quick], {"DIVE_RUNS": str(tmp_path / "theirs")})
    assert code == 0 and "val/loss" in output
    assert list((tmp_path / "theirs/linear/linear_regression").iterdir())
    assert os.environ["DIVE_RUNS"] == str(tmp_path / "ours") and not (tmp_path / "ours").exists()
