"""A log file gets one line an epoch, a terminal gets none."""

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
