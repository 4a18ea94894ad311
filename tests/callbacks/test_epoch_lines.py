"""A log file gets one line per epoch, a terminal gets none."""

import sys
from pathlib import Path

import pytest

from callbacks.epoch_lines import EpochLines
from tests.small import Points, SmallNet, small_trainer


@pytest.mark.parametrize(("terminal", "lines"), [(False, 2), (True, 0)])
def test_one_line_an_epoch_where_there_is_no_terminal(
    terminal: bool, lines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    small_trainer(tmp_path, EpochLines(), max_epochs=3).fit(SmallNet(), datamodule=Points())
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert len(said) == lines
    assert all("train/loss" in line and "val/acc" in line for line in said)


def epoch_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]


def test_an_epoch_without_a_validation_shows_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = small_trainer(tmp_path, EpochLines(), max_epochs=5, check_val_every_n_epoch=2)
    trainer.fit(SmallNet(), datamodule=Points())
    assert ["val/" in line for line in epoch_lines(capsys)] == [False, True, False, True]


def test_a_resume_at_the_end_of_an_epoch_has_no_empty_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = small_trainer(tmp_path, EpochLines(), max_epochs=1)
    trainer.fit(SmallNet(), datamodule=Points())
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    small_trainer(tmp_path, EpochLines(), max_epochs=3).fit(
        SmallNet(), datamodule=Points(), ckpt_path=str(tmp_path / "end.ckpt")
    )
    (line,) = epoch_lines(capsys)
    assert line.startswith("epoch 2/3, step 8: ") and "train/loss" in line


def test_a_validation_before_the_epochs_end_says_its_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_trainer(tmp_path, EpochLines(), val_check_interval=3).fit(SmallNet(), datamodule=Points())
    (line,) = epoch_lines(capsys)
    assert line.startswith("epoch 1/2, step 4: ") and line.endswith("(validated at step 3)")
