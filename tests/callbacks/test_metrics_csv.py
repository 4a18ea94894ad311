"""metrics.csv: one row a step, kept over a resume, readable after a kill."""

from pathlib import Path

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
