"""metrics.csv: one row per step, kept over a resume, readable after a kill."""

from pathlib import Path
from typing import Any

import pytest

from callbacks.metrics_csv import MetricsCSV, read_metrics


def log(logger: MetricsCSV, *rows: tuple[int, dict[str, float]]) -> None:
    for step, metrics in rows:
        logger.log_metrics(metrics, step)
        logger.save()


def test_what_one_step_logs_in_several_calls_is_one_row(tmp_path: Path) -> None:
    log(MetricsCSV(str(tmp_path)), (0, {"a": 1.0}), (1, {"a": 2.0}), (1, {"b": 3.0}), (2, {"a": 4.0}))
    rows = read_metrics(tmp_path / "metrics.csv")
    assert rows == [{"step": 0, "a": 1.0}, {"step": 1, "a": 2.0, "b": 3.0}, {"step": 2, "a": 4.0}]


def test_the_same_metric_twice_in_one_step_is_two_rows(tmp_path: Path) -> None:
    log(MetricsCSV(str(tmp_path)), (0, {"a": 1.0}), (0, {"a": 2.0}))
    assert [row["a"] for row in read_metrics(tmp_path / "metrics.csv")] == [1.0, 2.0]


def test_a_resumed_run_keeps_the_rows_before_its_step(tmp_path: Path) -> None:
    log(MetricsCSV(str(tmp_path)), *((k, {"a": float(k)}) for k in range(6)))
    again = MetricsCSV(str(tmp_path))
    again.resume_at(3)
    log(again, (3, {"a": 30.0, "new": 1.0}))
    assert [row["a"] for row in read_metrics(tmp_path / "metrics.csv")] == [0.0, 1.0, 2.0, 30.0]


def test_numbers_come_back_exactly(tmp_path: Path) -> None:
    log(MetricsCSV(str(tmp_path)), (0, {"a": 0.1 + 0.2}))
    assert read_metrics(tmp_path / "metrics.csv")[0]["a"] == 0.1 + 0.2


def test_a_line_cut_short_by_a_kill_is_dropped(tmp_path: Path) -> None:
    log(MetricsCSV(str(tmp_path)), (0, {"a": 1.0, "b": 2.0}), (1, {"a": 1.0, "b": 2.0}))
    path = tmp_path / "metrics.csv"
    path.write_text(path.read_text().rstrip()[:-4])
    assert [row["step"] for row in read_metrics(path)] == [0]


def rows(path: Path) -> list[tuple[int, float]]:
    return [(row["step"], row["a"]) for row in read_metrics(path / "metrics.csv")]


def test_a_row_that_is_saved_already_is_completed_in_its_place(tmp_path: Path) -> None:
    first = (0, {"a": 0.0, "b": 0.5, "epoch": 0})
    log(MetricsCSV(str(tmp_path)), first, (1, {"a": 1.0, "epoch": 0}), (1, {"b": 1.5, "epoch": 0}), (2, {"a": 2.0}))
    found = read_metrics(tmp_path / "metrics.csv")
    assert [len(row) for row in found] == [4, 4, 2]
    assert found[1] == {"step": 1, "epoch": 0, "a": 1.0, "b": 1.5} and type(found[1]["epoch"]) is int


def test_rows_stay_in_place_through_new_columns_and_completions(tmp_path: Path) -> None:
    steps: list[tuple[int, dict[str, float]]] = []
    for k in range(9):
        steps += [(k, {"a": float(k)}), (k, {"b" if k % 2 else "c": 10.0 * k})]
        if k == 5:
            steps.append((k, {"late": 5.5}))
    log(MetricsCSV(str(tmp_path)), *steps)
    found = read_metrics(tmp_path / "metrics.csv")
    assert [row["a"] for row in found] == [float(k) for k in range(9)]
    assert [row.get("b", row.get("c")) for row in found] == [10.0 * k for k in range(9)]
    assert found[5]["late"] == 5.5


def test_a_resume_drops_rows_from_the_file_at_once(tmp_path: Path) -> None:
    log(MetricsCSV(str(tmp_path)), *((k, {"a": float(k)}) for k in range(6)))
    MetricsCSV(str(tmp_path)).resume_at(3)
    assert rows(tmp_path) == [(0, 0.0), (1, 1.0), (2, 2.0)]


@pytest.mark.parametrize("kept", [2, 3, 6])
def test_the_row_of_a_checkpoint_is_there_once_whether_or_not_a_kill_came_before_it(kept: int, tmp_path: Path) -> None:
    """The checkpoint is of step 3; the row before it has the epoch's end, which a kill may have lost."""
    log(MetricsCSV(str(tmp_path)), *((k, {"a": float(k), "val/loss": 9.0}) for k in range(kept)))
    again = MetricsCSV(str(tmp_path))
    again.resume_at(3, {"a": 2.0, "val/loss": 9.0})
    assert rows(tmp_path) == [(0, 0.0), (1, 1.0), (2, 2.0)]
    log(again, (3, {"a": 3.0}))
    assert rows(tmp_path)[-2:] == [(2, 2.0), (3, 3.0)]


def test_what_the_row_of_a_checkpoint_lacks_is_added(tmp_path: Path) -> None:
    log(MetricsCSV(str(tmp_path)), (0, {"a": 0.0}), (1, {"a": 1.0}))
    MetricsCSV(str(tmp_path)).resume_at(2, {"val/loss": 0.25})
    assert read_metrics(tmp_path / "metrics.csv")[1] == {"step": 1, "a": 1.0, "val/loss": 0.25}


def test_a_resumed_run_may_log_other_metrics(tmp_path: Path) -> None:
    log(MetricsCSV(str(tmp_path)), (0, {"a": 1.0, "epoch": 0}))
    log(MetricsCSV(str(tmp_path)), (1, {"b": 2.0}))
    assert read_metrics(tmp_path / "metrics.csv") == [{"step": 0, "epoch": 0, "a": 1.0}, {"step": 1, "b": 2.0}]


def test_a_damaged_line_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,epoch,a\n0,0,1.0\n1,0\n,0,1.0\n3,0,x\n4,0,5.0\n")
    assert [(row["step"], row["a"]) for row in read_metrics(path)] == [(0, 1.0), (4, 5.0)]


def test_a_whole_file_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = MetricsCSV(str(tmp_path))
    log(logger, (0, {"a": 1.0}))

    def full(*args: Any) -> None:
        raise OSError

    monkeypatch.setattr(MetricsCSV, "_write_rows", full)
    with pytest.raises(OSError):
        log(logger, (1, {"a": 2.0, "new": 3.0}))
    assert rows(tmp_path) == [(0, 1.0)]
