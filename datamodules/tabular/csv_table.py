"""Your own table: a CSV file with a heading, one row a sample, one column the target.

    dive fit mlp/mlp --data CSVTable --data.path houses.csv --data.target kind                a class: text, few values
    dive fit mlp/mlp_regression --data CSVTable --data.path houses.csv --data.target price    a number
    dive predict mlp/mlp --data.path new.csv             the target column may be absent, houses.csv may be gone

Separators ``, ; tab |`` are told apart by the heading. Empty cells, ``NA``, ``NaN``, ``null`` and ``?`` are missing.
``datamodules/tabular/columns.py`` says how columns become numbers.
"""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from datamodules.base import Mistake, TensorDataModule, note, split_shares
from datamodules.tabular.columns import Column, fit_columns, to_numbers

MOST_CLASSES = 20  # a target of whole numbers with more values than this is taken as a quantity


class CSVTable(TensorDataModule):
    """Rows x (B, num_features) float32, standardised, with y (B,): classes, or float32 numbers in their own units.

    Rows without a target are left out of training and evaluation. The split is fixed (seed 0), every class alike.
    Messages and ``predictions.csv`` number the rows from 1, the first below the heading.

    Args:
        path: The CSV file, UTF-8.
        target: The heading of the target column.
        task: auto takes text, and whole numbers with at most 20 different values, as classes, all else as a number.
        num_features, num_classes, num_outputs: 0 means as found in the file (``infer``); of the last two, the one that
            the task has not stays 0.
        ignore: Columns that are not to be used, such as an identifier or what gives the target away.
        val_share, test_share: Shares of the rows held out.
        **loader: See ``TensorDataModule``.

    Raises:
        Mistake: The file or the target column is missing or unusable; says which and why in one line.
    """

    def __init__(
        self,
        path: str = "",
        target: str = "",
        task: Literal["auto", "classification", "regression"] = "auto",
        num_features: int = 0,
        num_classes: int = 0,
        num_outputs: int = 0,
        ignore: Sequence[str] = (),
        val_share: float = 0.15,
        test_share: float = 0.15,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        found = self.infer(path, target, task, num_features, num_classes, num_outputs, ignore, val_share, test_share)
        self.num_features, self.num_classes = found["num_features"], found["num_classes"]
        self.num_outputs = found["num_outputs"]
        self.path, self.target, self.ignore = path, target, tuple(ignore)
        self.val_share, self.test_share = val_share, test_share
        self.columns: list[Column] | None = None  # from the training rows, or from the run that trained the model

    @staticmethod
    def infer(
        path: str = "",
        target: str = "",
        task: str = "auto",
        num_features: int = 0,
        num_classes: int = 0,
        num_outputs: int = 0,
        ignore: Sequence[str] = (),
        val_share: float = 0.15,
        test_share: float = 0.15,
    ) -> dict[str, int]:
        """The numbers of features, and of classes or outputs, that the file gives; what is given is kept."""
        if min(val_share, test_share) < 0 or val_share + test_share >= 1:
            raise Mistake(f"data.val_share {val_share} and data.test_share {test_share} leave nothing to train on")
        given = {"num_features": num_features, "num_classes": num_classes, "num_outputs": num_outputs}
        if num_features and (num_classes or num_outputs):
            return given  # as in a run's config.yaml: the file may now be one without a target
        table = read_table(path)
        values, classes = read_target(table, path, target, task)
        if task == "auto":
            kind = f"{len(classes)} classes" if classes else "a number (regression)"
            note(f"the target {target!r} of {path} is taken as {kind}; --data.task says otherwise")
        features = drop_columns(table.loc[values.index], path, target, *ignore)
        columns = fit_columns(features, split_rows(values, classes, path, val_share, test_share)[0].numpy(), quiet=True)
        if not columns:
            raise Mistake(f"{path}: no column besides {target!r} tells rows apart")
        return {
            "num_features": num_features or sum(column.width for column in columns),
            "num_classes": num_classes or len(classes),
            "num_outputs": num_outputs or int(not classes),
        }

    def processor(self) -> dict[str, Any]:
        columns = [column.saved() for column in self.columns or []]
        return {**super().processor(), "target": self.target, "columns": columns}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.columns = [Column(**column) for column in processor["columns"]]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        table = read_table(self.path)
        if stage == "predict":
            if self.columns is None:
                raise Mistake("predicting needs a trained run: its processor.json says how the columns become numbers")
            self.predict_names = [str(row + 1) for row in range(len(table))]
            return {"predict": (self.encode(table),)}
        values, classes = read_target(
            table, self.path, self.target, "classification" if self.num_classes else "regression"
        )
        if len(values) < len(table):
            note(f"{self.path}: {len(table) - len(values)} rows without {self.target!r} are left out")
        if self.class_names is None and classes:  # else the run that trained the model said them
            self.class_names = classes
        if new := sorted(set(classes) - set(self.class_names or [])):
            raise Mistake(f"{self.path}: class {new[0]!r} of {self.target!r} was not there when the model was trained")
        if self.num_classes and len(self.class_names or []) != self.num_classes:
            raise Mistake(f"{self.path}: {len(classes)} classes, but data.num_classes is {self.num_classes}")
        rows = split_rows(values, classes, self.path, self.val_share, self.test_share)
        table = table.loc[values.index]
        if self.columns is None:
            self.columns = fit_columns(drop_columns(table, self.path, self.target, *self.ignore), rows[0].numpy())
        x = self.encode(table)
        if x.shape[1] != self.num_features:
            raise Mistake(f"{self.path} gives {x.shape[1]} features, but data.num_features is {self.num_features}")
        y = class_numbers(values, self.class_names or []) if classes else torch.tensor(values.to_numpy(np.float32))
        return {name: (x[part], y[part]) for name, part in zip(("train", "val", "test"), rows, strict=True)}

    def encode(self, table: pd.DataFrame) -> Tensor:
        """The rows as x (N, num_features)."""
        assert self.columns is not None
        if absent := [column.name for column in self.columns if column.name not in table]:
            raise Mistake(f"{self.path} has no column {', '.join(map(repr, absent))}: the model was trained with it")
        x = np.concatenate([column.encode(table[column.name]) for column in self.columns], axis=1)
        return torch.from_numpy(x)


def read_table(path: str) -> pd.DataFrame:
    """Every cell as text, NaN where missing.

    Raises:
        Mistake: No such file, not UTF-8 text, empty, or a line with more cells than the heading.
    """
    if not path:
        raise Mistake("which table? --data.path FILE.csv")
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
        raise Mistake(f"no file {path}: give --data.path your CSV file") from None
    except UnicodeDecodeError:
        raise Mistake(f"{path} is no UTF-8 text: save it as CSV (UTF-8)") from None
    except pd.errors.EmptyDataError:
        raise Mistake(f"{path} is empty") from None
    except (OSError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise Mistake(
            f"{path} cannot be read as CSV: {str(error).strip().removeprefix('Error tokenizing data. C error: ')}"
        ) from None
    if len(table) == 0:
        raise Mistake(f"{path} has a heading but no rows")
    return table


def read_target(table: pd.DataFrame, path: str, target: str, task: str) -> tuple[pd.Series, list[str]]:
    """The rows that have a target, as class names or float64, and the class names in order; none for a number.

    Raises:
        Mistake: No such column, one class or value alone, no numbers for a regression, infinite ones.
    """
    if target not in table:
        what = f"no column {target!r}" if target else "which column is the target? --data.target"
        raise Mistake(f"{path}: {what}; it has {', '.join(map(str, table.columns))}")
    values = table[target].dropna()
    numbers = to_numbers(values)
    all_numbers = not np.isnan(numbers).any()
    if task == "auto":
        few = all_numbers and (numbers % 1 == 0).all() and len(np.unique(numbers)) <= MOST_CLASSES
        task = "classification" if few or not all_numbers else "regression"
    if values.nunique() < 2:
        raise Mistake(f"{path}: the target {target!r} has the same value in all rows; there is nothing to learn")
    if task == "classification":
        if all_numbers:  # "1" and "1.0" are one class, 10 comes after 9
            values = pd.Series([f"{number:.15g}" for number in numbers], index=values.index)
        return values, sorted(values.unique(), key=float if all_numbers else str)
    for wrong, problem in ((np.isnan(numbers), "is no number"), (np.isinf(numbers), "is infinite")):
        if wrong.any():
            i = int(wrong.argmax())
            cell = f"row {values.index[i] + 1}: {values.iloc[i]!r}"
            raise Mistake(f"{path}: the target {target!r} {problem} in {cell}; regression needs numbers")
    return pd.Series(numbers, index=values.index), []


def drop_columns(table: pd.DataFrame, path: str, *names: str) -> pd.DataFrame:
    if unknown := [name for name in names if name not in table]:
        raise Mistake(f"{path}: no column {unknown[0]!r} to ignore; it has {', '.join(map(str, table.columns))}")
    return table.drop(columns=list(names))


def split_rows(
    values: pd.Series, classes: list[str], path: str, val_share: float, test_share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Positions in ``values`` of the training, validation and test rows."""
    needed = 1 + (val_share > 0) + (test_share > 0)
    if len(values) < 10:
        raise Mistake(f"{path} has {len(values)} rows with a target: give it at least 10")
    counts = values.value_counts()
    if classes and counts.iloc[-1] < needed:
        rare = f"class {counts.index[-1]!r} has {counts.iloc[-1]} rows, too few to split"
        hint = "; for a number say --data.task regression" if len(classes) > MOST_CLASSES else ""
        raise Mistake(f"{path}: {rare}: give it at least {needed}{hint}")
    y = class_numbers(values, classes) if classes else torch.zeros(len(values))
    return split_shares(y, val_share, test_share)


def class_numbers(values: pd.Series, classes: list[str]) -> Tensor:
    return torch.tensor(values.map({name: i for i, name in enumerate(classes)}).to_numpy(np.int64))
