"""Your own table: a CSV file with a header row, one row per sample, one column as the target.

    dive fit mlp/mlp --data CSVTable --data.path houses.csv --data.target kind              a class: text, or few values
    dive fit mlp/mlp_regression --data CSVTable --data.path houses.csv --data.target price  a number
    dive predict mlp/mlp --data.path new.csv             without the target column; houses.csv is not read
    dive ensemble mlp/mlp_regression --data CSVTable --data.path houses.csv --data.target price      five folds

Separators ``, ; tab |`` are recognized in the header row. Empty cells, ``NA``, ``NaN``, ``null`` and ``?`` are missing
values. ``datamodules/tabular/columns.py`` encodes the columns.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from common.messages import UserError, note
from datamodules.base import TensorDataModule
from datamodules.tabular.columns import Column, fit_columns
from datamodules.tabular.tables import class_numbers, drop_columns, logarithms, read_table, read_target, split_rows


class CSVTable(TensorDataModule):
    """Rows x (B, num_features) float32, standardized, with y (B,): classes, or float32 numbers in their own units.

    Rows without a target are left out of training and evaluation. The split is fixed (seed 0) and stratified by class.
    Messages and ``predictions.csv`` number the rows from 1, without the header row. ``target_mean`` and ``target_std``
    are a numeric target's statistics over the training rows, for models that predict in its units.

    Args:
        path: The CSV file, UTF-8.
        target: The heading of the target column.
        task: auto treats text, and whole numbers with at most 20 different values, as classes, all else as a number.
        num_features, num_classes, num_outputs: 0 means as found in the file (``infer``); a classifier has num_outputs
            0, a regression num_classes 0.
        ignore: Columns that are not used, such as an identifier, or a column that reveals the target.
        val_fraction, test_fraction: Fractions of the rows held out.
        num_folds, fold: With folds, the rows of ``fold`` (counted from 0) are the test rows, and ``test_fraction`` is
            not used.
        log_target: Learn the logarithm of a number, so that errors are relative; predictions are in its own units.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: The file or the target column is missing or cannot be used.
    """

    input_means = (
        "the columns in processor.json, in that order: a number or date (days since 1970) as (value - mean) / std, a "
        "missing one as 0, where std is not 0; then, with indicator, 1 where it is missing and 0 elsewhere; a text as "
        '0 and 1 for each of its categories, where a missing one is "missing"'
    )
    #: Column whose cells name the rows in a submission; none numbers them.
    id_column = ""
    links = ("num_features", "num_classes", "num_outputs")

    def __init__(
        self,
        path: str = "",
        target: str = "",
        task: Literal["auto", "classification", "regression"] = "auto",
        num_features: int = 0,
        num_classes: int = 0,
        num_outputs: int = 0,
        ignore: Sequence[str] = (),
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        num_folds: int = 0,
        fold: int = 0,
        log_target: bool = False,
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        self.split = {
            "val_fraction": val_fraction,
            "test_fraction": test_fraction,
            "num_folds": num_folds,
            "fold": fold,
        }
        found = self.infer(path, target, task, num_features, num_classes, num_outputs, ignore, **self.split)  # type: ignore[arg-type]
        self.num_features, self.num_classes = found["num_features"], found["num_classes"]
        self.num_outputs = found["num_outputs"]
        self.path, self.target, self.ignore, self.log_target = path, target, tuple(ignore), log_target
        self.columns: list[Column] | None = None  # from the training rows, or from the run that trained the model
        self.target_mean, self.target_std = 0.0, 1.0

    @property
    def own_path(self) -> str:  # type: ignore[override]
        return self.path

    @classmethod
    def infer(
        cls,
        path: str = "",
        target: str = "",
        task: str = "auto",
        num_features: int = 0,
        num_classes: int = 0,
        num_outputs: int = 0,
        ignore: Sequence[str] = (),
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        num_folds: int = 0,
        fold: int = 0,
    ) -> dict[str, int]:
        """The numbers of features, and of classes or outputs, by the file; arguments that are not 0 are kept."""
        if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
            raise UserError(
                f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
            )
        given = {"num_features": num_features, "num_classes": num_classes, "num_outputs": num_outputs}
        if num_features and (num_classes or num_outputs):
            return given  # as in a run's config.yaml: the file may have no target now
        table = cls.read(path)
        values, classes = read_target(table, path, target, task)
        if task == "auto":
            kind = f"{len(classes)} classes" if classes else "a number (regression)"
            note(f"the target {target!r} of {path} is taken as {kind}; --data.task changes it")
        features = drop_columns(table.loc[values.index], path, target, *ignore)
        train = split_rows(values, classes, path, val_fraction, test_fraction, num_folds, fold)[0]
        columns = fit_columns(features, train.numpy(), quiet=True)
        if not columns:
            raise UserError(
                f"{path}: all columns but {target!r} are constant or names: give it a column to predict from"
            )
        return {
            "num_features": num_features or sum(column.width for column in columns),
            "num_classes": num_classes or len(classes),
            "num_outputs": num_outputs or int(not classes),
        }

    @staticmethod
    def read(path: str) -> pd.DataFrame:
        """The table to train on, every cell as text."""
        return read_table(path)

    @staticmethod
    def read_new(path: str) -> pd.DataFrame:
        """The table to predict."""
        return read_table(path)

    def processor(self) -> dict[str, Any]:
        columns = [column.saved() for column in self.columns or []]
        settings = {"target": self.target, "log_target": self.log_target, "id": self.id_column}
        return {**super().processor(), **settings, "columns": columns}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.columns = [Column(**column) for column in processor["columns"]]

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage == "predict":
            return {"predict": (self.load_new(),)}
        table = self.read(self.path)
        values, classes = read_target(
            table, self.path, self.target, "classification" if self.num_classes else "regression"
        )
        if len(values) < len(table):
            note(f"{self.path}: {len(table) - len(values)} rows without {self.target!r} are left out")
        if self.class_names is None and classes:  # else set by the run that trained the model
            self.class_names = classes
        if new := sorted(set(classes) - set(self.class_names or [])):
            raise UserError(
                f"{self.path}: class {new[0]!r} of {self.target!r} did not occur when the model was trained"
            )
        if self.num_classes and len(self.class_names or []) != self.num_classes:
            raise UserError(f"{self.path}: {len(classes)} classes, but data.num_classes is {self.num_classes}")
        rows = split_rows(values, classes, self.path, **self.split)  # type: ignore[arg-type]
        table = table.loc[values.index]
        if self.columns is None:
            self.columns = fit_columns(drop_columns(table, self.path, self.target, *self.ignore), rows[0].numpy())
        x = self.encode(table)
        if x.shape[1] != self.num_features:
            raise UserError(f"{self.path} gives {x.shape[1]} features, but data.num_features is {self.num_features}")
        if classes:
            y = class_numbers(values, self.class_names or [])
        else:
            values = logarithms(values, self.path, self.target) if self.log_target else values
            y = torch.tensor(values.to_numpy(np.float32))
            self.target_mean = float(y[rows[0]].double().mean())
            self.target_std = float(y[rows[0]].double().std()) or 1.0
        return {name: (x[part], y[part]) for name, part in zip(("train", "val", "test"), rows, strict=True)}

    def load_new(self) -> Tensor:
        """The rows to predict; their cells are kept for ``predictions.csv``."""
        if self.columns is None:
            raise UserError("predicting needs a trained run: its processor.json has the encoding of the columns")
        table = self.read_new(self.path)
        self.predict_names = [str(row + 1) for row in range(len(table))]
        self.predict_cells = {str(name): table[name].fillna("").tolist() for name in table.columns}
        return self.encode(table)

    def in_units(self, name: str, values: Tensor) -> Tensor:
        """Predictions called ``name``, in the units of the target."""
        return values.double().exp() if name == "prediction" and self.log_target else values

    @property
    def output_means(self) -> str:  # type: ignore[override]
        return f"It is the logarithm of {self.target}: exp gives its units." if self.log_target else ""

    def encode(self, table: pd.DataFrame) -> Tensor:
        """The rows as x (N, num_features)."""
        assert self.columns is not None
        if absent := [column.name for column in self.columns if column.name not in table]:
            raise UserError(f"{self.path} has no column {', '.join(map(repr, absent))}: the model was trained with it")
        x = np.concatenate([column.encode(table[column.name]) for column in self.columns], axis=1)
        return torch.from_numpy(x)
