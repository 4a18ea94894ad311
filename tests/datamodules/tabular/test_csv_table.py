"""Your own table: how columns become numbers, what depends on the training rows only, the errors; end to end."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from common.messages import UserError
from datamodules.tabular import tables
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


def test_logarithms_are_learned_and_predictions_written_in_units(tmp_path: Path) -> None:
    data = ready(write(tmp_path, houses()), "price", log_target=True)
    y = data.splits["train"][1]
    assert 5 < float(y.min()) < float(y.max()) < 7
    assert data.target_mean == pytest.approx(float(y.mean()), abs=1e-5)
    assert data.target_std == pytest.approx(float(y.std()), abs=1e-5)
    torch.testing.assert_close(
        data.in_units("prediction", torch.tensor([0.0, 1.0])).float(), torch.tensor([1, np.e]).float()
    )


@pytest.mark.slow
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


def test_a_name_typed_in_two_ways_is_one_and_lines_above_the_heading_are_named(tmp_path: Path) -> None:
    rows = [(i, ("\u00e9t\u00e9", "e\u0301te\u0301", "hiver")[i % 3]) for i in range(60)]
    path = tmp_path / "t.csv"
    path.write_text("n,saison\u200b\n" + "".join(f"{i % 7},{name}\n" for i, name in rows), encoding="utf-8")
    data = CSVTable(str(path), "saison")
    data.setup("fit")
    assert data.class_names == ["hiver", "\u00e9t\u00e9"]
    path.write_text("Report of 2024\n\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    tables.forget_tables()
    with pytest.raises(UserError, match="rows have more cells than the first one: take lines above the heading out"):
        CSVTable(str(path), "saison")


def test_a_test_table_may_have_one_row_or_one_class(tmp_path: Path) -> None:
    table = houses()
    for target, rows in (("price", table[:1]), ("town", table[table["town"] == table["town"][0]])):
        path, other = write(tmp_path, table), write(tmp_path, rows, "other.csv")
        data = ready(path, target, test_path=other)
        assert len(data.splits["test"][1]) == len(rows)
