"""Reads a table and its target from a CSV file, and divides its rows into splits and folds.

Every error is one line that names the file, and the column and row where there is one.
"""

import warnings

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.splits import split_fractions
from datamodules.tabular.columns import to_numbers

MOST_CLASSES = 20  # a target of whole numbers with more values is a regression


def read_table(path: str) -> pd.DataFrame:
    """Every cell as text, NaN where missing.

    Raises:
        UserError: No such file, not UTF-8 text, empty, or a line with more cells than the header row.
    """
    if not path:
        raise UserError("data.path is not given: --data.path FILE.csv names your table")
    try:
        with open(path, encoding="utf-8-sig") as file:
            heading = file.readline()
        separator = max(",;\t|", key=heading.count)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a line with more cells than the heading
            table = pd.read_csv(
                path,
                sep=separator,
                dtype=str,
                na_values=["?"],
                index_col=False,
                skipinitialspace=True,
                encoding="utf-8-sig",
            )
    except FileNotFoundError:
        raise UserError(f"no file {path}: give --data.path your CSV file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as CSV (UTF-8)") from None
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty: give it a heading and rows") from None
    except (OSError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise UserError(
            f"{path} cannot be read as CSV: {str(error).strip().removeprefix('Error tokenizing data. C error: ')}"
        ) from None
    if len(table) == 0:
        raise UserError(f"{path} has a heading but no rows: add rows below it")
    return table


def read_target(table: pd.DataFrame, path: str, target: str, task: str) -> tuple[pd.Series, list[str]]:
    """The rows that have a target, as class names or float64, and the class names in order; none for a number.

    Raises:
        UserError: No such column, only one class or value, or a regression with values that are not finite numbers.
    """
    if target not in table:
        what = f"no column {target!r}" if target else "data.target is not given, --data.target COLUMN names it"
        raise UserError(f"{path}: {what}; it has {', '.join(map(str, table.columns))}")
    values = table[target].dropna()
    numbers = to_numbers(values)
    all_numbers = not np.isnan(numbers).any()
    if task == "auto":
        few = all_numbers and (numbers % 1 == 0).all() and len(np.unique(numbers)) <= MOST_CLASSES
        task = "classification" if few or not all_numbers else "regression"
    if values.nunique() < 2:
        raise UserError(f"{path}: the target {target!r} has the same value in all rows: name another column")
    if task == "classification":
        if all_numbers:  # "1" and "1.0" are one class, 10 comes after 9
            values = pd.Series([f"{number:.15g}" for number in numbers], index=values.index)
        return values, sorted(values.unique(), key=float if all_numbers else str)
    for wrong, problem in ((np.isnan(numbers), "is not a number"), (np.isinf(numbers), "is infinite")):
        if wrong.any():
            i = int(wrong.argmax())
            cell = f"row {values.index[i] + 1}: {values.iloc[i]!r}"
            raise UserError(f"{path}: the target {target!r} {problem} in {cell}; regression needs numbers")
    return pd.Series(numbers, index=values.index), []


def drop_columns(table: pd.DataFrame, path: str, *names: str) -> pd.DataFrame:
    if unknown := [name for name in names if name not in table]:
        raise UserError(f"{path}: no column {unknown[0]!r} to ignore; it has {', '.join(map(str, table.columns))}")
    return table.drop(columns=list(names))


def split_rows(
    values: pd.Series,
    classes: list[str],
    path: str,
    val_fraction: float,
    test_fraction: float,
    num_folds: int = 0,
    fold: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Positions in ``values`` of the training, validation and test rows, stratified by class.

    With folds the rows of ``fold`` are the test rows, ``val_fraction`` of the others validate, and ``test_fraction`` is
    not used: over all folds each row is tested exactly once.

    Raises:
        UserError: Too few rows, in total or in one class, or no such fold.
    """
    needed = 1 + (val_fraction > 0) + (test_fraction > 0 or num_folds > 0)
    if len(values) < 10:
        raise UserError(f"{path} has {len(values)} rows with a target: give it at least 10")
    counts = values.value_counts()
    if classes and counts.iloc[-1] < needed:
        rare = f"class {counts.index[-1]!r} has {counts.iloc[-1]} rows, too few to split"
        hint = "; for a number give --data.task regression" if len(classes) > MOST_CLASSES else ""
        raise UserError(f"{path}: {rare}: give it at least {needed}{hint}")
    y = class_numbers(values, classes) if classes else torch.zeros(len(values))
    if not num_folds:
        return split_fractions(y, val_fraction, test_fraction)
    if len(values) < num_folds:
        raise UserError(f"{path} has {len(values)} rows for {num_folds} folds: lower data.num_folds")
    if num_folds < 2 or not 0 <= fold < num_folds:
        raise UserError(f"data.fold {fold} of data.num_folds {num_folds}: folds are at least 2 and counted from 0")
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    order = order[y[order].argsort(stable=True)]  # sorted by class, so that every fold has the same part of each
    held = torch.zeros(len(y), dtype=torch.bool)
    held[order[fold::num_folds]] = True
    rest = (~held).nonzero().flatten()
    train, val, _ = split_fractions(y[rest], val_fraction, 0.0)
    return rest[train], rest[val], held.nonzero().flatten()


def logarithms(values: pd.Series, path: str, target: str) -> pd.Series:
    """The natural logarithm of a target.

    Raises:
        UserError: A value is not positive.
    """
    low = (values <= 0).to_numpy()
    if low.any():
        i = int(low.argmax())
        raise UserError(
            f"{path}: the target {target!r} is {values.iloc[i]:g} in row {values.index[i] + 1}: it has no logarithm; "
            "leave --data.log_target out"
        )
    return np.log(values)


def class_numbers(values: pd.Series, classes: list[str]) -> Tensor:
    return torch.tensor(values.map({name: i for i, name in enumerate(classes)}).to_numpy(np.int64))
