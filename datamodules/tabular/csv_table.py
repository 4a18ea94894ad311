"""Your own table: a CSV file with a header row, one row per sample, one column as the target.

    dive fit mlp/mlp --data CSVTable --data.path houses.csv --data.target kind              a class: text, or few values
    dive fit mlp/mlp_regression --data CSVTable --data.path houses.csv --data.target price  a number
    dive test mlp/mlp --data.test_path more.csv          all rows of another file, as with --data.path more.csv
    dive predict mlp/mlp --data.path new.csv             without the target column; houses.csv is not read
    dive ensemble mlp/mlp_regression --data CSVTable --data.path houses.csv --data.target price      five folds
    dive describe mlp/mlp --data CSVTable --data.path houses.csv        what each column is taken for; trains nothing

Encoding, separator, decimal sign and formats of dates are found in the file (``datamodules/tabular/delimited.py``,
``formats.py``). Empty cells are missing; ``NA``, ``None``, ``n/a`` and the like are missing among numbers and dates, a
category among texts, a class in the target. ``datamodules/tabular/columns.py`` encodes the columns.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from common.messages import UserError, note
from datamodules.base import TensorDataModule
from datamodules.reading import some
from datamodules.run_file import KnowsItsFile
from datamodules.splits import refuse_fractions
from datamodules.tabular.column import Column
from datamodules.tabular.columns import Places, encode_columns, encode_parts, judge_columns, say_columns
from datamodules.tabular.report import by_kind, describe_table, other_columns, say_target, taken_for
from datamodules.tabular.stored_table import StoredTable, give_back
from datamodules.tabular.tables import (
    alike_classes,
    drop_columns,
    forget_tables,
    ignored,
    listed,
    missing_in_target,
    read_stored_table,
    read_table,
    read_target,
    rows_of,
    split_rows,
    targets_of,
)


class CSVTable(KnowsItsFile, TensorDataModule):
    """Rows x (B, num_features) float32, standardized, with y (B,): classes, or float32 numbers in their own units.

    Rows without a target are left out of training and evaluation. The split is fixed (seed 0) and stratified by class.
    Messages and ``predictions.csv`` number the rows from 1, without the header row. ``target_mean`` and ``target_std``
    are a numeric target's statistics over the training rows, for models that predict in its units.

    Args:
        path: The CSV file. At test time a file that is not the run's is tested whole.
        target: The heading of the target column.
        task: auto treats text as classes, and whole numbers with at most 20 different values that come three times each
            on average, all else as a number.
        num_features, num_classes, num_outputs: 0 means as found in the file (``infer``); a classifier has num_outputs
            0, a regression num_classes 0.
        ignore: Columns that are not used, such as an identifier, or a column that reveals the target: a list, or one
            word with commas between them.
        val_fraction, test_fraction: Fractions of the rows held out.
        num_folds, fold: With folds, the rows of ``fold`` (counted from 0) are the test rows, and ``test_fraction`` is
            not used.
        log_target: Learn the logarithm of a number, so that errors are relative; predictions are in its own units.
        decimal: The decimal sign of numbers such as 1,234 that can be read in two ways; auto: as in the file's others.
        day_first: Whether 03/04/2021 is in April; None: as in the rest of the file.
        missing: Words that are missing values in texts and classes, too.
        test_path: A file of its own whose rows are the test rows, all of them; none of ``path`` is tested then.
        encoding: Of the file; empty: UTF-8, UTF-16 or Windows-1252, as found.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: The file or the target column is missing or cannot be used.
    """

    input_means = (
        "the columns in processor.json, in that order: a number or date (days since 1970, or since origin) as "
        "(value - mean) / std, a missing one as 0, where std is not 0; then, with indicator, 1 where it is missing and "
        '0 elsewhere; a text as 0 and 1 for each of its categories, where a missing one is "missing"'
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
        ignore: Sequence[str] | str = (),
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        num_folds: int = 0,
        fold: int = 0,
        log_target: bool = False,
        decimal: Literal["auto", ".", ","] = "auto",
        day_first: bool | None = None,
        missing: Sequence[str] | str = (),
        encoding: str = "",
        test_path: str = "",
        **loader: Any,
    ) -> None:
        super().__init__(**loader)
        self.task, self.encoding = task, encoding
        self.reading: dict[str, Any] = {"decimal": decimal, "day_first": day_first, "missing": tuple(listed(missing))}
        fractions = {"val_fraction": val_fraction, "test_fraction": 0.0 if test_path else test_fraction}
        self.split: dict[str, Any] = {**fractions, "num_folds": num_folds, "fold": fold}
        sizes: dict[str, Any] = {"num_features": num_features, "num_classes": num_classes, "num_outputs": num_outputs}
        found = self.infer(path, target, task, **sizes, ignore=ignore, encoding=encoding, **self.split, **self.reading)
        self.num_features, self.num_classes, self.num_outputs = (found[name] for name in sizes)
        self.path, self.test_path, self.target, self.log_target = path, test_path, target, log_target
        self.ignore = ignore if isinstance(ignore, str) else tuple(ignore)
        self.columns: list[Column] | None = None  # from the training rows, or from the run that trained the model
        self.taken_for: dict[str, str] = {}  # what each column was taken for, in words
        self.target_mean, self.target_std = 0.0, 1.0

    @property
    def own_path(self) -> str:  # type: ignore[override]
        return self.test_path if self.test_path and self.splits.keys() == {"test"} else self.path

    @classmethod
    def infer(
        cls,
        path: str = "",
        target: str = "",
        task: str = "auto",
        num_features: int = 0,
        num_classes: int = 0,
        num_outputs: int = 0,
        ignore: Sequence[str] | str = (),
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        num_folds: int = 0,
        fold: int = 0,
        decimal: str = "auto",
        day_first: bool | None = None,
        missing: Sequence[str] | str = (),
        encoding: str = "",
    ) -> dict[str, int]:
        """The numbers of features, and of classes or outputs, by the file; arguments that are not 0 are kept."""
        refuse_fractions(val_fraction, test_fraction)
        given = {"num_features": num_features, "num_classes": num_classes, "num_outputs": num_outputs}
        if num_features and (num_classes or num_outputs):
            return given  # as in a run's config.yaml: the file may have no target now
        missing = listed(missing)
        table = cls.read(path, encoding, (target,))
        values, classes = read_target(table, path, target, task, decimal, missing)
        if task == "auto":
            say_target(path, values, classes)
        features = drop_columns(rows_of(table, values.index), path, target, ignore)
        train = split_rows(values, classes, path, val_fraction, test_fraction, num_folds, fold)[0]
        taken = judge_columns(features, train.numpy(), decimal, day_first, missing, table)
        columns = [each.column for each in taken if not each.why]
        give_back(table)
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
    def read(path: str, encoding: str = "", text: Sequence[str] | None = ()) -> pd.DataFrame | StoredTable:
        """The table to train on; the columns ``text`` as texts."""
        return read_stored_table(path, encoding, text)

    @staticmethod
    def read_new(path: str, encoding: str = "") -> pd.DataFrame:
        """The table to predict, every cell as text."""
        return read_table(path, encoding, None)

    @classmethod
    def described(
        cls,
        path: str = "",
        target: str = "",
        ignore: Sequence[str] | str = (),
        decimal: str = "auto",
        day_first: bool | None = None,
        missing: Sequence[str] | str = (),
        encoding: str = "",
    ) -> list[str]:
        """A line for each column with what it is taken for, for ``dive describe``; the target need not be known."""
        table = cls.read(path, encoding)
        taken = judge_columns(table, np.arange(len(table)), decimal, day_first, listed(missing))
        return describe_table(path, table, taken, target, ignored(table, ignore))

    def processor(self) -> dict[str, Any]:
        settings = {"target": self.target, "log_target": self.log_target, "id": self.id_column}
        columns = {"columns": [column.saved() for column in self.columns or []], "taken_for": self.taken_for}
        return {**super().processor(), **settings, **columns}

    def load_processor(self, processor: dict[str, Any]) -> None:
        super().load_processor(processor)
        self.columns = [Column(**column) for column in processor["columns"]]
        self.taken_for = processor.get("taken_for", {})

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        if stage == "predict":
            return {"predict": (self.load_new(),)}
        if self.test_path and stage == "test" and self.columns:
            return {"test": self._load_whole(self.test_path)}
        if self.is_another(stage):
            return {"test" if stage == "test" else "val": self._load_whole(self.path)}
        splits = self._load_table()
        return splits | {"test": self._load_whole(self.test_path)} if self.test_path else splits

    def _load_whole(self, path: str) -> tuple[Tensor, ...]:
        """All rows of another file than the run's, as its columns were taken for."""
        table, values, classes = self._read_labeled(path, other=True)
        return self.encode(table, path), self._targets(values, classes, path)

    def _load_table(self) -> dict[str, tuple[Tensor, ...]]:
        """The splits of the one table."""
        table, values, classes = self._read_labeled(self.path)
        rows = split_rows(values, classes, self.path, **self.split)
        if self.columns is None:
            features = drop_columns(table, self.path, self.target, self.ignore)
            taken = judge_columns(features, rows[0].numpy(), whole=table, **self.reading)
            self.columns = [each.column for each in taken if not each.why]
            self.taken_for = taken_for(table, taken, self.target, "a class" if classes else "a number")
            say_columns(taken, features)
            if self.own_path:
                note(f"columns of {self.path} are taken as {by_kind(taken)}; processor.json has all")
            del features, taken
        y = self._targets(values, classes, self.path)
        if not classes:
            self.target_mean = float(y[rows[0]].double().mean())
            self.target_std = float(y[rows[0]].double().std()) or 1.0
        targets, places = [y[part] for part in rows], Places([part.numpy() for part in rows], len(table))
        del values, y, rows  # as large as columns
        encoded, facts = encode_parts(table, self.columns, places, self.path)
        self.facts += facts
        if (width := encoded[0].shape[1]) != self.num_features:
            raise UserError(f"{self.path} gives {width} features, but data.num_features is {self.num_features}")
        parts = zip(map(torch.from_numpy, encoded), targets, strict=True)
        return dict(zip(("train", "val", "test"), parts, strict=True))

    def _read_labeled(self, path: str, other: bool = False) -> tuple[pd.DataFrame | StoredTable, pd.Series, list[str]]:
        """The rows with a target, their targets, and the classes among them, none for a number."""
        texts = [column.name for column in self.columns or () if other and column.kind == "text"]  # 001 stays 001
        table = self.read(path, self.encoding, (self.target, *texts))
        forget_tables()
        how = (self.reading["decimal"], self.reading["missing"], not other)
        values, classes = read_target(table, path, self.target, self.task, *how)
        if bool(classes) != bool(self.num_classes):
            task = "classification" if self.num_classes else "regression"
            values, classes = read_target(table, path, self.target, task, *how)
        self.facts += table.attrs.get("facts", ())
        if said := missing_in_target(table, self.target, values.index):
            self.facts.append(said)
            if not self.own_path or self.trainer is None:
                note(f"{path}: {said}")
        if self.class_names is None and classes:  # else set by the run that trained the model
            self.class_names = classes
        if self.num_classes and len(self.class_names or []) != self.num_classes:
            raise UserError(f"{path}: {len(classes)} classes, but data.num_classes is {self.num_classes}")
        if same := alike_classes(classes):
            self.facts.append(f"classes {some(same)} are different classes: they differ in capital letters alone")
        return rows_of(table, values.index), values, classes

    def _targets(self, values: pd.Series, classes: list[str], path: str) -> Tensor:
        return targets_of(values, classes, self.class_names or [], path, self.target, self.log_target)

    def load_new(self) -> Tensor:
        """The rows to predict; their cells are kept for ``predictions.csv``."""
        if self.columns is None:
            raise UserError("predicting needs a trained run: its processor.json has the encoding of the columns")
        table = self.read_new(self.path, self.encoding)
        forget_tables()
        self.facts += table.attrs.get("facts", ())
        self.predict_names = [str(row + 1) for row in range(len(table))]
        self.predict_cells = {str(name): table[name].fillna("").tolist() for name in table.columns}
        self.facts += other_columns(list(map(str, table.columns)), list(self.taken_for))
        return self.encode(table, self.path)

    def in_units(self, name: str, values: Tensor) -> Tensor:
        """Predictions called ``name``, in the units of the target."""
        numbers = name in ("prediction", "lower", "upper")  # a mean or median, and the ends of an interval
        return values.double().exp() if numbers and self.log_target else values

    @property
    def output_means(self) -> str:  # type: ignore[override]
        return f"It is the logarithm of {self.target}: exp gives its units." if self.log_target else ""

    def encode(self, table: pd.DataFrame | StoredTable, path: str = "") -> Tensor:
        """The rows as x (N, num_features); what was unseen in training is counted in ``facts``."""
        assert self.columns is not None
        x, facts = encode_columns(table, self.columns, path)
        self.facts += facts
        return torch.from_numpy(x)
