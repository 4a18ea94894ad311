"""The stored comparisons of translations: a row for two commands, its table, one line for a run that does not tell."""

import json
from pathlib import Path

import pytest

from common.messages import UserError
from lit_models.functional.translation_scores import Comparison, Score
from scripts.evidence import gains


def run(folder: Path, command: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"command": command}))
    return folder


def comparison(first: float, second: float, half: float) -> Comparison:
    return Comparison(Score(first, 1.0, "s"), Score(second, 1.0, "s"), half, 0.004)


def test_a_comparison_is_stored_once_and_shown_with_its_interval(tmp_path: Path) -> None:
    alone = run(tmp_path / "a", "dive fit translation/en_yor")
    child = run(
        tmp_path / "b",
        "dive fit translation/en_yor --model.weights elsewhere/runs/translation/en_swa/2026-11-29_09-51-19",
    )
    page, rows = tmp_path / "page.md", tmp_path / "results" / "gains.csv"
    page.write_text("before\n\n<!--gains-->\nold\n<!--/gains-->\nafter\n")
    for second in (19.0, 18.5):  # the second replaces the first
        found = {"chrf": comparison(17.8, second, 0.4), "bleu": comparison(2.0, 2.1, 0.3)}
        gains.write([gains.row_of(alone, child, 1550, found)], rows, page)
    text = page.read_text()
    assert text.startswith("before") and text.endswith("after\n") and "old" not in text
    (line,) = [line for line in text.splitlines() if "1,550" in line]
    assert line == (
        "| `dive fit translation/en_yor --model.weights runs/translation/en_swa/TIME` | `dive fit translation/en_yor` "
        "| 1,550 | 17.8 to 18.5: **+0.7 ± 0.4**, p = 0.004 | 2.0 to 2.1: +0.1 ± 0.3, p = 0.004 |"
    )
    gains.write([gains.row_of(child, alone, 1550, found)], rows, page)
    assert len(rows.read_text().splitlines()) == 3


def test_a_run_that_does_not_tell_its_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not tell its command"):
        gains.command_of(tmp_path)
