"""Reads a table and its target from a CSV file, and divides its rows into splits and folds.

Every error is one line that names the file, and the column and row where there is one.
"""

import os
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from common.messages import UserError, did_you_mean
from datamodules.splits import split_fractions
from datamodules.tabular import delimited, formats
from datamodules.tabular.column import present_cells, to_numbers, without_missing_words
from datamodules.tabular.columns import decimal_of
from datamodules.tabular.delimited import read_cells
from datamodules.tabular.stored_table import StoredTable, give_back

MOST_CLASSES = 20  # a target of whole numbers with more values is a regression
ROWS_OF_CLASS = 3  # on average; with fewer, whole numbers are not taken for classes


def read_table(path: str, encoding: str = "", text: Sequence[str] | None = ()) -> pd.DataFrame:
    """A table as in ``datamodules/tabular/delimited.py``, all of it in memory, read once for all who ask for it at the
    start of a run.

    Raises:
        UserError: No such file, not a text, empty, or a line with more cells than the header row.
    """
    try:
        state = os.stat(path)
    except OSError:
        return read_cells(path, encoding, text)  # says what is wrong
    return _read_once(path, encoding, None if text is None else tuple(text), state.st_mtime_ns, state.st_size).copy(
        deep=False
    )


def read_stored_table(path: str, encoding: str = "", text: Sequence[str] | None = ()) -> pd.DataFrame | StoredTable:
    """The same; of a large file, one column or some rows are in memory at a time."""
    if os.path.isfile(path) and os.path.getsize(path) >= delimited.LARGE:
        return _store_once(path, encoding, None if text is None else tuple(text), os.stat(path).st_mtime_ns)
    return read_table(path, encoding, text)


@lru_cache(maxsize=1)
def _read_once(path: str, encoding: str, text: tuple[str, ...] | None, time: int, size: int) -> pd.DataFrame:
    return read_cells(path, encoding, text)


@lru_cache(maxsize=1)
def _store_once(path: str, encoding: str, text: tuple[str, ...] | None, time: int) -> pd.DataFrame | StoredTable:
    return delimited.read_stored(path, encoding, text)


def forget_tables() -> None:
    """Frees the table that ``read_table`` keeps."""
    _read_once.cache_clear()
    _store_once.cache_clear()


def target_column(table: pd.DataFrame | StoredTable, path: str, target: str) -> pd.Series:
    """The cells of the target.

    Raises:
        UserError: No such column.
    """
    if target not in table:
        has = f"it has {', '.join(map(str, table.columns))}"
        if not target:
            raise UserError(f"{path}: data.target is not given, --data.target COLUMN names it; {has}")
        raise UserError(f"{path}: no column {target!r}; {has}{did_you_mean(target, map(str, table.columns))}")
    return table[target]


def read_target(
    table: pd.DataFrame | StoredTable,
    path: str,
    target: str,
    task: str,
    decimal: str = "auto",
    missing: Sequence[str] = (),
    several: bool = True,
) -> tuple[pd.Series, list[str]]:
    """The rows that have a target, as class names or float64, and the class names in order; none for a number.

    Empty cells are missing. ``NA``, ``None`` and the like are missing among numbers and classes among texts.

    Args:
        table: As ``read_table`` returns it.
        path: The file, for messages.
        target: The heading.
        task: auto, classification or regression.
        decimal: The decimal sign; auto: that of the file.
        missing: Words that are missing in a class, too.
        several: Whether one class or value is refused: nothing can be learned then, but a model can be tested.

    Raises:
        UserError: No such column, only one class or value, or a regression with values that are not finite numbers.
    """
    cells = target_column(table, path, target)
    if formats.has_texts(cells) and missing:
        cells = cells.where(~cells.isin(list(missing)), np.nan)
    give_back(table)
    values = present_cells(cells)
    del cells  # of millions of rows each copy counts
    sign = decimal_of(table) if decimal == "auto" else decimal
    found = values if not formats.has_texts(values) else present_cells(without_missing_words(values))
    texts = formats.different(found)[1] if formats.has_texts(found) else []
    signs = formats.decimals_of(texts) if texts else "."
    sign = sign if sign in signs or not signs else signs[0]
    numbers = to_numbers(found, sign)
    all_numbers = len(found) > 0 and not np.isnan(numbers).any()
    if task == "auto":
        distinct = len(np.unique(numbers))
        whole = all_numbers and np.isfinite(numbers).all() and bool((numbers % 1 == 0).all())
        few = whole and distinct <= MOST_CLASSES and len(found) >= ROWS_OF_CLASS * distinct
        task = "classification" if few or not all_numbers else "regression"
        values = found if all_numbers else values
    elif task == "regression":
        values = found if all_numbers else values
    same = len(formats.different(values)[1]) < 2 if formats.has_texts(values) else not values.min() < values.max()
    if same and several:
        raise UserError(f"{path}: the target {target!r} has the same value in all rows: name another column")
    if task == "classification":
        names = class_names(values)
        return names, order_of(names)
    numbers = to_numbers(values, sign)
    for wrong, problem in ((np.isnan(numbers), "is not a number"), (np.isinf(numbers), "is infinite")):
        if wrong.any():
            i = int(wrong.argmax())
            cell = f"row {values.index[i] + 1}: {values.iloc[i]!r}"
            raise UserError(f"{path}: the target {target!r} {problem} in {cell}; regression needs numbers")
    return pd.Series(numbers, index=values.index, name=target), []


def class_names(values: pd.Series) -> pd.Series:
    """Cells as names of classes: ``1``, ``1.0`` and ``1e0`` are one class, ``01`` is another, and no digit is lost."""
    codes, uniques = formats.different(values)
    names = [class_name(text if isinstance(text, str) else f"{text:.15g}") for text in uniques]
    return pd.Series(np.array(names, dtype=object)[codes], index=values.index, name=values.name, dtype=object)


def class_name(text: str) -> str:
    if re.fullmatch(r"[+-]?0\d+", text) or not re.match(r"[+-]?[\d.]", text):
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return f"{number.normalize():f}" if number else "0"


def order_of(names: pd.Series) -> list[str]:
    """The different names: 10 after 9 where all are numbers, else by their letters."""
    different = sorted(names.unique())
    try:
        return sorted(different, key=Decimal)
    except InvalidOperation:
        return different


def alike_classes(classes: Sequence[str]) -> list[str]:
    """Classes that differ only in capital letters or marks of accents, joined by `` and ``."""
    same: dict[str, list[str]] = {}
    for name in classes:
        same.setdefault(" ".join(name.casefold().split()), []).append(repr(name))
    return [" and ".join(names) for names in same.values() if len(names) > 1]


def rows_of(table: pd.DataFrame | StoredTable, index: pd.Index) -> pd.DataFrame | StoredTable:
    """The rows of a table with these numbers, ascending."""
    if len(index) == len(table):
        return table
    return table.at(index) if isinstance(table, StoredTable) else table.loc[index]


def missing_in_target(table: pd.DataFrame | StoredTable, target: str, kept: pd.Index) -> str:
    """How many rows have no target, and which words stand there; empty where all have one."""
    if len(kept) == len(table):
        return ""
    gone = table[target][~table.index.isin(kept)]
    words = Counter(text for text in gone.dropna()) if formats.has_texts(gone) else Counter()
    said = "".join(f", {count} of them {word!r}" for word, count in words.most_common(3))
    return f"{len(gone):,} rows without {target!r} are left out{said}"


def drop_columns(
    table: pd.DataFrame | StoredTable, path: str, target: str, ignore: Sequence[str] | str = ()
) -> pd.DataFrame | StoredTable:
    """The table without its target and the columns to ignore: their headings, or one word with commas between them.

    Raises:
        UserError: There is no such column.
    """
    names = ignored(table, ignore)
    if unknown := [name for name in names if name not in table]:
        raise UserError(f"{path}: no column {unknown[0]!r} to ignore; it has {', '.join(map(str, table.columns))}")
    return table.drop(columns=[target, *(name for name in names if name != target)])


def listed(words: Sequence[str] | str) -> list[str]:
    """A list, or one word with commas between the items, as a list."""
    return [word.strip() for word in words.split(",") if word.strip()] if isinstance(words, str) else list(words)


def ignored(table: pd.DataFrame | StoredTable, ignore: Sequence[str] | str) -> list[str]:
    """The headings of ``data.ignore``: a list, one heading, or several with commas between them."""
    return [ignore] if isinstance(ignore, str) and ignore in table else listed(ignore)


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
    counts = values.value_counts() if classes else None
    if counts is not None and counts.iloc[-1] < needed:
        rare = f"class {counts.index[-1]!r} has {counts.iloc[-1]} rows, too few to split"
        number = len(classes) > MOST_CLASSES or all(class_name(name).lstrip("-").isdigit() for name in classes)
        hint = "; for a number give --data.task regression" if number else ""
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


def targets_of(
    values: pd.Series, classes: list[str], known: list[str], path: str, target: str, log_target: bool
) -> Tensor:
    """The targets as numbers of the classes that are known, or as numbers, or their logarithms.

    Raises:
        UserError: A class is not known; a number has no logarithm.
    """
    if new := sorted(set(classes) - set(known)):
        raise UserError(f"{path}: class {new[0]!r} of {target!r} did not occur when the model was trained")
    if classes:
        return class_numbers(values, known)
    return torch.tensor((logarithms(values, path, target) if log_target else values).to_numpy(np.float32))
