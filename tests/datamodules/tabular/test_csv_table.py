"""Your own table: how columns become numbers, what depends on the training rows only, the errors; end to end."""

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
from datamodules.tabular.tables import split_rows
from scripts.cli import main


def houses(n: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(0)
    size = random.normal(100, 20, n)
    town = random.choice(["Rome", "Oslo", "Bonn"], n)
    return pd.DataFrame(
        {
            "size": size,
            "town": town,
            "built": (pd.Timestamp("1990-01-01") + pd.to_timedelta(np.arange(n), "D")).strftime("%Y-%m-%d"),
            "garden": np.arange(n) % 2 == 0,
            "price": 3 * size + 50 * (town == "Oslo"),
            "kind": np.where(size > 100, "big", "small"),
        }
    )


def write(folder: Path, table: pd.DataFrame, name: str = "table.csv", **options: Any) -> str:
    table.to_csv(folder / name, **({"index": False} | options))
    return str(folder / name)


def ready(path: str, target: str, stage: str = "fit", **arguments: Any) -> CSVTable:
    data = CSVTable(path, target, **arguments)
    data.setup(stage)
    return data


def column(data: CSVTable, name: str) -> Any:
    (found,) = [c for c in data.columns or [] if c.name == name]
    return found


# -- features -----------------------------------------------------------------------------------------------------


def test_rows_are_standardized_float32_by_the_training_rows_alone(tmp_path: Path) -> None:
    table = houses(100)[["size", "kind"]]
    data = ready(write(tmp_path, table), "kind")
    x = data.splits["train"][0]
    assert x.dtype == torch.float32 and x.shape == (70, 1)
    assert x.mean().abs() < 1e-6 and x.std(correction=0) == pytest.approx(1, abs=1e-6)
    _, val, test = split_rows(table["kind"], ["big", "small"], "", 0.15, 0.15)
    table.loc[[*val.tolist(), *test.tolist()], "size"] *= 10
    again = ready(write(tmp_path, table), "kind")
    assert torch.equal(again.splits["train"][0], x)
    assert not torch.equal(again.splits["val"][0], data.splits["val"][0])


def test_categories_are_one_column_each_and_an_unseen_one_is_all_zeros(tmp_path: Path) -> None:
    data = ready(write(tmp_path, houses()[["town", "kind"]]), "kind")
    assert data.num_features == 3 and column(data, "town").categories == ["Bonn", "Oslo", "Rome"]
    data.path = write(tmp_path, pd.DataFrame({"town": ["Rome", "Paris", None]}), "new.csv")
    data.setup("predict")
    assert data.splits["predict"][0].tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_missing_numbers_become_the_training_mean_and_are_marked(tmp_path: Path) -> None:
    table = houses()[["size", "kind"]]
    table.loc[::5, "size"] = np.nan
    data = ready(write(tmp_path, table), "kind")
    x = data.splits["train"][0]
    marked = x[:, 1] == 1
    assert data.num_features == 2 and 0 < marked.sum() < len(x) and (x[marked, 0] == 0).all()


def test_missing_texts_are_a_category(tmp_path: Path) -> None:
    table = houses()[["town", "kind"]]
    table.loc[::5, "town"] = "?"
    data = ready(write(tmp_path, table), "kind")
    assert column(data, "town").categories == ["Bonn", "Oslo", "Rome", "missing"]
    assert (data.splits["train"][0].sum(1) == 1).all()


def test_dates_are_days(tmp_path: Path) -> None:
    data = ready(write(tmp_path, houses()[["built", "kind"]]), "kind")
    built = column(data, "built")
    assert built.kind == "date" and data.num_features == 1
    assert built.numbers(pd.Series(["1970-01-02", "1970-01-03T12:00:00+00:00", None])).tolist()[:2] == [1.0, 2.5]


def test_columns_without_information_are_left_out_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = houses()[["size", "kind"]].assign(same=1, empty=None, name=[f"house {i}" for i in range(60)])
    data = ready(write(tmp_path, table, index=True), "kind")
    assert [c.name for c in data.columns or []] == ["size"]
    notes = capsys.readouterr().err
    for words in ("same in all training rows: same, empty", "different in most rows: name", "row number: Unnamed: 0"):
        assert notes.count(words) == 1


def test_ignored_columns_are_not_features(tmp_path: Path) -> None:
    data = ready(write(tmp_path, houses()), "kind", ignore=["size", "price"])
    assert [c.name for c in data.columns or []] == ["town", "built", "garden"]


def test_of_many_categories_only_the_most_frequent_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes = [f"c{i // 3}" for i in range(360)] + ["often"] * 90
    table = pd.DataFrame({"code": codes, "kind": ["a", "b"] * 225})
    data = ready(write(tmp_path, table), "kind", val_fraction=0.05, test_fraction=0.05)
    assert data.num_features == 100 and "often" in column(data, "code").categories
    assert "100 most frequent" in capsys.readouterr().err


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_recognized_in_the_header_row(tmp_path: Path, separator: str) -> None:
    assert CSVTable(write(tmp_path, houses(), sep=separator), "kind").num_features == 8


def test_a_byte_order_mark_is_not_part_of_the_heading(tmp_path: Path) -> None:
    assert CSVTable(write(tmp_path, houses()[["kind", "size"]], encoding="utf-8-sig"), "kind").num_classes == 2


# -- targets ------------------------------------------------------------------------------------------------------


def test_classes_are_named_in_order_and_split_alike(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": np.arange(100.0), "y": [10, 9, 9.0, 9] * 25})
    data = ready(write(tmp_path, table), "y")
    data.setup("test")
    assert data.class_names == ["9", "10"] and (data.num_classes, data.num_outputs) == (2, 0)
    for split, count in (("train", 70), ("val", 15), ("test", 15)):
        y = data.splits[split][1]
        assert y.dtype == torch.int64 and len(y) == count and 0.2 < y.float().mean() < 0.3


def test_a_real_target_is_a_regression_in_its_own_units(tmp_path: Path) -> None:
    table = houses()
    data = ready(write(tmp_path, table), "price")
    y = data.splits["train"][1]
    assert (data.num_classes, data.num_outputs, data.class_names) == (0, 1, None)
    assert y.dtype == torch.float32 and set(y.tolist()) <= set(table["price"].astype(np.float32).tolist())


def test_the_task_can_be_given(tmp_path: Path) -> None:
    path = write(tmp_path, pd.DataFrame({"x": np.arange(30.0), "y": np.arange(30) % 3}))
    assert CSVTable(path, "y").num_classes == 3
    assert CSVTable(path, "y", task="regression").num_outputs == 1


def test_rows_without_a_target_are_left_out_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = houses()
    table.loc[:9, "kind"] = None
    data = ready(write(tmp_path, table), "kind")
    data.setup("test")
    assert sum(len(data.splits[s][1]) for s in ("train", "val", "test")) == 50
    assert "10 rows without 'kind'" in capsys.readouterr().err


def test_the_split_does_not_depend_on_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, houses())
    first = ready(path, "kind")
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    assert torch.equal(first.splits["train"][0], ready(path, "kind").splits["train"][0])


# -- folds and logarithms -----------------------------------------------------------------------------------------


def test_over_all_folds_each_row_is_tested_once_and_statistics_are_the_training_rows(tmp_path: Path) -> None:
    path, tested, means = write(tmp_path, houses(53)), [], set()
    for fold in range(5):
        data = ready(path, "price", num_folds=5, fold=fold, ignore=["kind"])
        tested += data.splits["test"][1].tolist()
        means.add(column(data, "size").mean)
        assert data.splits["train"][0][:, 0].mean().abs() < 1e-6
        assert [len(data.splits[name][1]) for name in ("val", "test")] == [6, 11 if fold < 3 else 10]
    assert sorted(tested) == sorted(houses(53)["price"].astype(np.float32).tolist()) and len(means) == 5


def test_folds_share_every_class(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": np.arange(100.0), "y": ["rare"] * 10 + ["often"] * 90})
    path = write(tmp_path, table)
    for fold in range(5):
        y = ready(path, "y", num_folds=5, fold=fold).splits["test"][1]
        assert torch.bincount(y).tolist() == [18, 2]


def test_logarithms_are_learnt_and_predictions_written_in_units(tmp_path: Path) -> None:
    data = ready(write(tmp_path, houses()), "price", log_target=True)
    y = data.splits["train"][1]
    assert 5 < float(y.min()) < float(y.max()) < 7
    assert data.target_mean == pytest.approx(float(y.mean()), abs=1e-5)
    assert data.target_std == pytest.approx(float(y.std()), abs=1e-5)
    torch.testing.assert_close(
        data.in_units("prediction", torch.tensor([0.0, 1.0])).float(), torch.tensor([1, np.e]).float()
    )


def test_a_target_of_hundreds_of_thousands_is_learned(tmp_path: Path) -> None:
    table = houses(200).drop(columns="kind")
    table["price"] = 2e5 + 2e4 * (table["size"] - 100) / 20
    path = write(tmp_path, table)
    fit = ["fit", "mlp/mlp_regression", "--data", "CSVTable", "--data.path", path, "--data.target", "price"]
    assert main([*fit, "--trainer.max_epochs", "20"]) == 0
    assert main(["test", "mlp/mlp_regression"]) == 0
    (record,) = (tmp_path / "runs").glob("**/run.json")
    assert json.loads(record.read_text())["metrics"]["test/rmse"] < 5000  # of a standard deviation of 20,000


# -- errors -------------------------------------------------------------------------------------------------------


def changed(name: str, value: Any, row: int = 4) -> pd.DataFrame:
    table = houses().astype({name: object})
    table.loc[row, name] = value
    return table


@pytest.mark.parametrize(
    ("content", "target", "arguments", "message"),
    [
        (None, "kind", {}, "no file .*: give --data.path"),
        (b"", "kind", {}, "is empty"),
        (b"a,kind\n", "kind", {}, "heading but no rows"),
        (b"PK\x03\x04\xff\xfe\x9a", "kind", {}, "not UTF-8 text"),
        (b"a,b\n1,2\n1,2,3,4\n", "b", {}, "cannot be read as CSV: .*line 3"),
        (b"a,b\n1,2,3\n1,2,3\n", "b", {}, "cannot be read as CSV"),
        (houses(), "prize", {}, "no column 'prize'; it has size, town, built, garden, price, kind"),
        (houses(), "", {}, "data.target is not given"),
        (houses(), "kind", {"task": "regression"}, "'kind' is not a number in row 1: "),
        (changed("price", np.inf), "price", {}, "'price' is infinite in row 5"),
        (changed("size", np.inf), "kind", {}, "column 'size', row 5: 'inf' is infinite"),
        (changed("size", "12O"), "kind", {}, "column 'size', row 5: '12O' is not a number"),
        (houses().assign(kind="big"), "kind", {}, "same value in all rows"),
        (houses().assign(price=1.5), "price", {}, "same value in all rows"),
        (changed("kind", "rare"), "kind", {}, "class 'rare' has 1 rows"),
        (houses(9), "price", {}, "9 rows with a target: give it at least 10"),
        (houses()[["kind"]].assign(same=1), "kind", {}, "all columns but 'kind' are constant"),
        (houses(), "kind", {"ignore": ["color"]}, "no column 'color' to ignore"),
        (houses(), "kind", {"num_features": 3, "num_classes": 2}, "gives 8 features, but data.num_features is 3"),
        (houses(), "kind", {"num_features": 9, "num_classes": 4}, "2 classes, but data.num_classes is 4"),
        (houses(), "kind", {"val_fraction": 0.6, "test_fraction": 0.4}, "leave nothing to train on"),
        (houses(12), "price", {"num_folds": 13}, "has 12 rows for 13 folds: lower data.num_folds"),
        (houses(), "price", {"num_folds": 5, "fold": 5}, "data.fold 5 of data.num_folds 5: .* counted from 0"),
        (houses(), "price", {"num_folds": 1}, "folds are at least 2"),
        (changed("price", -3), "price", {"log_target": True}, "'price' is -3 in row 5: it has no logarithm"),
    ],
)
def test_an_unusable_table_is_one_line(
    tmp_path: Path, content: Any, target: str, arguments: dict[str, Any], message: str
) -> None:
    path = str(tmp_path / "table.csv")
    if isinstance(content, bytes):
        Path(path).write_bytes(content)
    elif content is not None:
        write(tmp_path, content)
    with pytest.raises(UserError, match=message) as error:
        ready(path, target, **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (pd.DataFrame({"town": ["Rome"]}), "has no column 'size', 'built'"),
        (houses(3).astype({"size": object}).assign(size="large"), "column 'size', row 1: 'large' is not a number"),
        (houses(3).assign(built="yesterday"), "column 'built', row 1: 'yesterday' is not a date"),
    ],
)
def test_a_new_table_that_does_not_fit_is_one_line(tmp_path: Path, new: pd.DataFrame, message: str) -> None:
    data = ready(write(tmp_path, houses()[["size", "town", "built", "kind"]]), "kind")
    data.path = write(tmp_path, new, "new.csv")
    with pytest.raises(UserError, match=message):
        data.setup("predict")


# -- end to end ---------------------------------------------------------------------------------------------------


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


# -- tables as people have them -----------------------------------------------------------------------------------


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
