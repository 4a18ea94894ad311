"""Your own series: which column, its times, the future in its own units."""

import csv
from pathlib import Path

import numpy as np
import pytest

from common.messages import UserError
from datamodules.tabular.csv_series import CSVSeries
from scripts.cli import main
from tests.datamodules.test_run_file import rows


def write(folder: Path, rows: int = 120, name: str = "sales.csv", heading: str = "month;sold") -> str:
    """Months with a decimal comma, twelve to a period, around 1,000."""
    lines = [heading]
    for i in range(rows):
        value = f"{1000 + 3 * i + 50 * np.sin(i * np.pi / 6):.2f}".replace(".", ",")
        lines.append(f"01.{i % 12 + 1:02d}.{2010 + i // 12};{value}")
    (folder / name).write_text("\n".join(lines) + "\n")
    return str(folder / name)


def test_the_column_the_times_and_the_sizes_are_found(tmp_path: Path) -> None:
    data = CSVSeries(write(tmp_path))
    data.setup("fit")
    data.setup("test")
    assert (data.column, data.time, data.num_features, data.num_outputs) == ("sold", "month", 12, 12)
    assert data.series[3] * data.scale + data.mean == pytest.approx(1059, abs=0.01)
    assert data.predict_steps[:2] == ["01.01.2020", "01.02.2020"] and len(data.predict_steps) == 12
    assert "120 values of 'sold' from 977" in data.summary() and "12 steps ahead" in data.summary()


def test_rows_in_another_order_and_gaps_are_said(tmp_path: Path) -> None:
    path = Path(write(tmp_path))
    heading, *rows = path.read_text().splitlines()
    rows[5] = rows[5].split(";")[0] + ";n/a"
    path.write_text("\n".join([heading, *reversed(rows)]) + "\n")
    data = CSVSeries(str(path))
    values = data.values()
    assert values[0] == 1000 and values[5] == pytest.approx((values[4] + values[6]) / 2)
    assert any("sorted by their times" in fact for fact in data.facts)
    assert any("1 missing values" in fact for fact in data.facts)


def test_without_times_the_steps_are_numbers_of_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n" + "".join(f"{i % 7}\n" for i in range(50)))
    data = CSVSeries(str(tmp_path / "a.csv"), num_outputs=3)
    data.values()
    assert data.predict_steps == ["51", "52", "53"]


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("a,b\n" + "1.5,2.5\n3,4\n" * 20, {}, "several columns of numbers, a, b: name one with --data.column"),
        ("a,b\nx,y\nu,v\n" * 9, {}, "no column of numbers"),
        ("a\n" + "1\n2\n" * 20, {"column": "aa"}, "no column 'aa' for data.column; it has a: did you mean 'a'"),
        ("a\n" + "5.5\n" * 20, {}, "'a' is 5.5 in all rows"),
        ("t,a\n" + "2020-01-01,1.5\n,2\n" * 9, {"time": "t"}, "'t' is empty in row 2"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(
    tmp_path: Path, content: str, arguments: dict[str, str], message: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        CSVSeries(str(tmp_path / "a.csv"), **arguments).setup("fit")  # type: ignore[arg-type]


def test_a_forecast_is_of_the_future_in_the_units_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path)
    fit = ["fit", "rnn/autoregressive_co2", "--data", "CSVSeries", "--data.path", path, "--trainer.max_epochs", "30"]
    assert main([*fit, "--model.kind", "linear"]) == 0
    longer = write(tmp_path, 130, "longer.csv")  # the mean and scale of the run, the start of the new file
    out = tmp_path / "forecast.csv"
    assert main(["predict", "rnn/autoregressive_co2", "--data.path", longer, "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.open()))
    assert [row["name"] for row in rows[:3]] == ["01.11.2020", "01.12.2020", "01.01.2021"] and len(rows) == 12
    true = [1000 + 3 * i + 50 * np.sin(i * np.pi / 6) for i in range(130, 142)]
    assert np.abs(np.array([float(row["forecast"]) for row in rows]) - true).mean() < 40


def test_times_that_come_twice_and_a_column_of_words_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,v,w\n" + "".join(f"2020-01-{1 + i % 9:02d},{i % 7},abc{i % 3}\n" for i in range(90)))
    with pytest.raises(UserError, match="most times in 'time' come several times: a series has one value for each"):
        CSVSeries(str(path), "v").setup("fit")
    with pytest.raises(UserError, match=r"'w' is not a column of numbers: name another --data.column"):
        CSVSeries(str(path), "w").setup("fit")


def test_another_series_is_tested_whole_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    data = CSVSeries(write(tmp_path))
    assert rows(data, stage="fit") == {"train": 60, "val": 13, "test": 13}
    run = data.processor()
    assert rows(CSVSeries(data.path, num_features=12, num_outputs=12), run)["test"] == 13
    other = CSVSeries(write(tmp_path, 100, "other.csv"), num_features=12, num_outputs=12)
    assert rows(other, run) == {"test": 100 - 2 * 12 + 1} and (other.mean, other.scale) == (data.mean, data.scale)
    assert "not the file of the run: all of it" in other.summary()
    assert set(rows(CSVSeries(other.path, num_features=12, num_outputs=12), run, "validate")) == {"val"}
    write(tmp_path, 121)
    with pytest.raises(UserError, match=r"sales.csv: its content changed since training"):
        rows(CSVSeries(data.path, num_features=12, num_outputs=12), run)
    assert rows(CSVSeries(data.path, num_features=12, num_outputs=12), run, "predict") == {}
