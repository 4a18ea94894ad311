"""One's own table as it is: words for missing values, formats of numbers and dates, what is said of each column."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from common.messages import UserError
from datamodules.tabular.csv_table import CSVTable
from scripts.cli import main
from tests.datamodules.tabular.test_csv_table import column, houses, ready, write


def lines(folder: Path, text: str, name: str = "own.csv") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


@pytest.mark.parametrize("word", ["None", "NA", "n/a", "null", "<NA>", "#N/A", "?", "nan"])
def test_a_class_that_is_called_missing_is_a_class(tmp_path: Path, word: str) -> None:
    path = lines(
        tmp_path, "age,y\n" + "".join(f"{20 + i * 7 % 31},{(word, 'mild', 'severe')[i % 3]}\n" for i in range(60))
    )
    data = ready(path, "y")
    assert data.class_names == sorted([word, "mild", "severe"])
    assert sum(len(part[1]) for part in data.splits.values()) == 60
    assert ready(path, "y", missing=word).class_names == ["mild", "severe"]


def test_a_number_that_is_called_missing_is_missing(tmp_path: Path) -> None:
    path = lines(
        tmp_path,
        "x,y\n" + "".join(f"{'n/a' if i % 5 == 0 else i * 7 % 31},{i * 1.5 if i % 6 else 'NA'}\n" for i in range(60)),
    )
    data = ready(path, "y")
    assert sum(len(part[1]) for part in data.splits.values()) == 50 and column(data, "x").indicator
    assert any("10 rows without 'y' are left out, 10 of them 'NA'" in fact for fact in data.facts)


def test_categories_are_kept_by_their_names_and_empty_ones_are_missing(tmp_path: Path) -> None:
    path = lines(
        tmp_path, "alley,y\n" + "".join(f"{('None', 'NA', '', 'gravel')[i % 4]},{'ab'[i % 2]}\n" for i in range(80))
    )
    assert column(ready(path, "y"), "alley").categories == ["NA", "None", "gravel", "missing"]


def test_numbers_with_a_decimal_comma_are_numbers(tmp_path: Path) -> None:
    rows = "".join(f"{20 + i},{i % 10};{i % 4 + 1}.{i * 37 % 1000:03d},50;{(i + 1) * 1000},5\n" for i in range(40))
    data = ready(lines(tmp_path, "area;rent;price\n" + rows), "price")
    assert [(c.name, c.kind, c.decimal) for c in data.columns or []] == [
        ("area", "number", ","),
        ("rent", "number", ","),
    ]
    y = torch.cat([part[1] for part in data.splits.values()])
    assert y.min() == 1000.5 and y.max() == 40000.5
    assert column(data, "rent").numbers(pd.Series(["1.234,50"], dtype=object)).tolist() == [1234.5]


def test_what_can_be_read_twice_is_read_as_the_rest_of_the_file(tmp_path: Path) -> None:
    def rows(other: str) -> str:
        return "a;b;y\n" + "".join(f"{1 + i % 9},{i * 7 % 10}00;{other.format(i)};{'uv'[i % 2]}\n" for i in range(40))

    assert column(ready(lines(tmp_path, rows("{}.5")), "y"), "a").mean > 999  # 1,200 is twelve hundred
    assert column(ready(lines(tmp_path, rows("{},5")), "y"), "a").mean < 10
    assert column(ready(lines(tmp_path, rows("{}.5")), "y", decimal=","), "a").mean < 10


def test_money_percent_and_units_are_numbers(tmp_path: Path) -> None:
    rows = "".join(f'"${i + 1},000.50",{i * 7 % 31}%,{i * 5 % 17} kg,{"xy"[i % 2]}\n' for i in range(40))
    data = ready(lines(tmp_path, "pay,part,weight,y\n" + rows), "y")
    assert [(c.kind, c.unit) for c in data.columns or []] == [("number", "$"), ("number", "%"), ("number", "kg")]
    assert column(data, "pay").numbers(pd.Series(["$3,000.50"], dtype=object)).tolist() == [3000.5]


def test_a_file_with_semicolons_has_the_day_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"0{1 + i % 9}/0{1 + i % 7}/2021;{i},5;{'uv'[i % 2]}\n" for i in range(40))
    path = lines(tmp_path, "day;x;y\n" + rows)
    assert column(ready(path, "y"), "day").style == "%d/%m/%Y"
    assert "'day' is taken as date, day/month/year; --data.day_first" in capsys.readouterr().err
    assert column(ready(path, "y", day_first=False), "day").style == "%m/%d/%Y"


def test_times_that_differ_by_nanoseconds_are_not_the_same(tmp_path: Path) -> None:
    rows = "".join(f"2021-03-27T10:00:00.{i * 7 % 40:09d}Z,{'uv'[i % 2]}\n" for i in range(40))
    data = ready(lines(tmp_path, "t,y\n" + rows), "y")
    assert column(data, "t").origin > 1e18 and len(data.splits["train"][0].unique()) == 28


def test_long_numbers_are_different_classes_and_columns(tmp_path: Path) -> None:
    rows = "".join(f"{1616839200000000000 + i * 7 % 40},1234567890123456{i % 3}\n" for i in range(60))
    data = ready(lines(tmp_path, "t,y\n" + rows), "y", task="classification")
    assert data.class_names == [f"1234567890123456{i}" for i in range(3)]
    assert len(data.splits["train"][0].unique()) > 20


@pytest.mark.parametrize("heading", ["", " ", "Unnamed: 0", "level_0", "index", "no", "key"])
def test_row_numbers_are_left_out_wherever_they_stand(tmp_path: Path, heading: str) -> None:
    rows = "".join(f"{i * 7 % 31},{i},{i * 1000.5}\n" for i in range(40))
    data = ready(lines(tmp_path, f"area,{heading},price\n" + rows), "price")
    assert [c.name for c in data.columns or []] == ["area"]
    twice = ready(
        lines(tmp_path, "," + f"{heading},area,price\n" + "".join(f"{i},{i},{i * 7 % 31},{i}.5\n" for i in range(40))),
        "price",
    )
    assert [c.name for c in twice.columns or []] == ["area"]


def test_blanks_around_headings_and_classes_do_not_count(tmp_path: Path) -> None:
    rows = "".join(f"{i * 7 % 31},{('No', 'No ', 'Yes', 'yes')[i % 4]}\n" for i in range(80))
    data = ready(lines(tmp_path, " area , churn \n" + rows), "churn")
    assert data.class_names == ["No", "Yes", "yes"] and column(data, "area")
    assert any("'Yes' and 'yes' are different classes" in fact for fact in data.facts)


def test_twenty_prices_are_a_number_and_few_repeated_ones_say_the_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lines(tmp_path, "area,price\n" + "".join(f"{i * 7 % 31},{i * 1000 + 500}\n" for i in range(20)))
    assert ready(path, "price").num_outputs == 1
    rare = lines(tmp_path, "area,price\n" + "".join(f"{i * 7 % 31},{min(i, 39) // 13 * 500}\n" for i in range(40)))
    with pytest.raises(UserError, match="give --data\\.task regression"):
        ready(rare, "price")
    assert "is taken as 4 classes (0, 500, 1000, 1500); --data.task changes it" in capsys.readouterr().err


def test_one_word_is_enough_to_ignore_a_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, houses())
    words = ["describe", "mlp/mlp", "--data", "CSVTable", "--data.path", path, "--data.target", "kind"]
    assert main([*words, "--data.ignore", "price"]) == 0 and main([*words, "--data.ignore", "price, size"]) == 0
    assert main([*words, "--data.ignore", "[price,town]"]) == 0
    assert main([*words, "--data.ignore", "prize"]) == 2
    assert "no column 'prize' to ignore" in capsys.readouterr().err


def test_each_column_is_said_once_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = CSVTable(write(tmp_path, houses().assign(same=1)), "kind", ignore="price")
    data.setup("fit")
    said = capsys.readouterr().err
    assert said.count("number: size; category: town (3), garden (2); date, year-month-day: built") == 1
    taken = data.processor()["taken_for"]
    assert taken["same"] == "left out: the same in all training rows" and taken["price"] == "left out: data.ignore"
    assert taken["town"] == "category, 3: Bonn, Oslo, Rome" and taken["kind"] == "the target: a class"
    again = CSVTable(data.path, "kind", ignore="price")
    again.load_processor(json.loads(json.dumps(data.processor())))
    again.setup("test")
    assert "are taken as number" not in capsys.readouterr().err


def test_describe_says_what_columns_are_taken_for_and_needs_no_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, houses(), index=True)
    words = ["describe", "mlp/mlp", "--data", "CSVTable", f"--data.path={path}"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "60 rows, 7 columns" in out and "--data.target COLUMN" in out and "parameters" not in out
    for line in ("Unnamed: 0  left out: a row number", "town        category, 3", "built       date, year-month-day"):
        assert line in out
    assert main([*words, "--data.target", "kind"]) == 0
    out = capsys.readouterr().out
    assert "kind        the target; category, 2: big, small" in out and "parameters" in out


def test_new_tables_say_what_the_model_does_not_know(tmp_path: Path) -> None:
    data = ready(write(tmp_path, houses()[["size", "town", "kind"]]), "kind")
    new = pd.DataFrame({"pool": [1, 2, 3, 4], "town": ["Paris", "rome", None, "Rome"], "size": [1, 2, 3, 4]})
    data.path = write(tmp_path, new, "new.csv")
    data.setup("predict")
    said = data.summary()
    assert "predict 4 rows" in said and "columns that the model was not trained with are not used: pool" in said
    assert "the columns stand in another order than in training" in said
    assert "column 'town', 3 rows: 'Paris' 1, 'rome' 1, empty 1 are not among its categories" in said


def test_a_test_file_of_its_own_is_tested_whole_and_never_mixed(tmp_path: Path) -> None:
    path, other = write(tmp_path, houses(40)), write(tmp_path, houses(100).iloc[40:], "other.csv")
    data = ready(path, "kind", test_path=other)
    assert [len(data.splits[name][1]) for name in ("train", "val", "test")] == [34, 6, 60]
    run = json.loads(json.dumps(data.processor()))
    tested = CSVTable(path, "kind", num_features=data.num_features, num_classes=2, test_path=other)
    Path(path).unlink()
    tested.load_processor(run)
    tested.setup("test")
    assert torch.equal(tested.splits["test"][0], data.splits["test"][0]) and tested.own_path == other


@pytest.mark.parametrize(("recipe", "target"), [("mlp/mlp", "kind"), ("mlp/mlp_regression", "price")])
def test_predicts_a_new_table_from_the_run_folder_alone(tmp_path: Path, recipe: str, target: str) -> None:
    table, other = houses(), {"kind": "price", "price": "kind"}[target]
    path = write(tmp_path, table.drop(columns=other))
    fit = ["fit", recipe, "--data", "CSVTable", "--data.path", path, "--data.target", target]
    assert main([*fit, "--trainer.max_epochs", "1", "--data.batch_size", "8"]) == 0
    Path(path).unlink()
    new = table[["town", "built", "size", "garden"]].iloc[:4].copy()  # no target, another order
    new.loc[1, "town"], new.loc[2, "size"] = "Paris", np.nan
    assert main(["predict", recipe, "--data.path", write(tmp_path, new, "new.csv")]) == 0
    (predictions,) = (tmp_path / "runs").glob("**/predictions.csv")
    rows = list(csv.DictReader(predictions.open()))
    assert [row["name"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["town"] for row in rows] == [*new["town"]] and rows[2]["size"] == ""  # the cells come back
    (record,) = (tmp_path / "runs").glob("**/processor.json")
    names = json.loads(record.read_text()).get("class_names")
    if target == "kind":
        assert names == ["big", "small"]
        for row in rows:
            assert row["label"] in names and float(row["p(big)"]) + float(row["p(small)"]) == pytest.approx(1, abs=1e-4)
    else:
        assert names is None and all(np.isfinite(float(row["prediction"])) for row in rows)


def test_a_number_given_to_a_classifier_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, houses())
    assert main(["fit", "mlp/mlp", "--data", "CSVTable", "--data.path", path, "--data.target", "price"]) == 2
    first, *_, last = capsys.readouterr().err.splitlines()
    assert "taken as a number (regression)" in first and "start with mlp/mlp_regression" in last


def codes(n: int = 60) -> pd.DataFrame:
    kinds = [f"{i % 3:03d}" if i % 4 else "A1" for i in range(n)]
    return pd.DataFrame({"code": kinds, "size": np.arange(n) * 7 % 31, "kind": ["uv"[i % 2] for i in range(n)]})


def run_of(data: CSVTable, path: str, **arguments: Any) -> CSVTable:
    sizes = {"num_features": data.num_features, "num_classes": data.num_classes}
    again = CSVTable(path, "kind", **sizes, **arguments)
    again.load_processor(json.loads(json.dumps(data.processor())))
    return again


def test_a_category_of_the_run_stays_a_text_in_a_test_file_where_all_cells_are_numbers(tmp_path: Path) -> None:
    path, table = write(tmp_path, codes()), codes()
    other = write(tmp_path, table[table["code"] != "A1"], "other.csv")
    for data in (ready(path, "kind", test_path=other), run_of(ready(path, "kind"), other)):
        data.setup("test")
        assert len(data.splits["test"][1]) == 45 and not any("are not among" in fact for fact in data.facts)
        assert bool((data.splits["test"][0][:, :4].sum(1) == 1).all())


def test_a_file_that_is_not_the_runs_is_tested_whole_and_a_changed_one_refused(tmp_path: Path) -> None:
    path = write(tmp_path, codes())
    data = ready(path, "kind")
    data.setup("test")
    other = run_of(data, write(tmp_path, codes(20), "other.csv"))
    other.setup("test")
    assert len(other.splits["test"][1]) == 20 and other.other_file
    assert "not the file of the run: all of it" in other.facts
    moved = run_of(data, write(tmp_path, codes(), "moved.csv"))
    moved.setup("test")
    assert torch.equal(moved.splits["test"][0], data.splits["test"][0]) and not moved.other_file
    write(tmp_path, codes(80))
    with pytest.raises(UserError, match=r"table.csv: its content changed since training.* give --data.test_path with"):
        run_of(data, path).setup("test")
    again = run_of(data, path, test_path=path)
    again.setup("test")
    assert len(again.splits["test"][1]) == 80
