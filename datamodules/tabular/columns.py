"""Columns of a table as numbers: the kind of each column, its statistics over the training rows, its encoding.

Numbers and dates are standardized by the training rows' mean and standard deviation. Text is one-hot over the
categories of the training rows (an unseen one is all zeros). A missing number becomes the mean, and an indicator column
marks it; a missing text is a category of its own.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from common.messages import UserError, note

MISSING = "missing"
ISO_DATE = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?"
MOST_CATEGORIES = 100  # rarer ones of a column are encoded as unseen ones: all zeros


@dataclass
class Column:
    """One column of the table.

    Args:
        name: Its heading.
        kind: number; date (ISO, read as days since 1970); text.
        mean, std: Of the training rows; std 0 means that the values are constant and left out.
        indicator: Whether there is an indicator column for missing numbers.
        categories: The categories of a text, one column each.
    """

    name: str
    kind: Literal["number", "date", "text"]
    mean: float = 0.0
    std: float = 0.0
    indicator: bool = False
    categories: list[str] = field(default_factory=list)

    @property
    def width(self) -> int:
        return len(self.categories) + (self.std > 0) + self.indicator

    def numbers(self, values: pd.Series) -> np.ndarray:
        """The values of a number or date (N,), NaN where missing.

        Raises:
            UserError: A value is infinite, or is not a number or date.
        """
        found = to_numbers(values) if self.kind == "number" else to_days(values)
        wrong = np.isnan(found) & values.notna().to_numpy()
        for rows, problem in ((wrong, f"is not a {self.kind}"), (np.isinf(found), "is infinite")):
            if rows.any():
                i = int(rows.argmax())
                cell = f"column {self.name!r}, row {values.index[i] + 1}: {values.iloc[i]!r}"
                raise UserError(f"{cell} {problem}: correct it or leave the cell empty")
        return found

    def encode(self, values: pd.Series) -> np.ndarray:
        """Returns (N, width), float32."""
        if self.kind == "text":
            texts = values.fillna(MISSING).to_numpy(dtype=object)[:, None]
            return (texts == np.array(self.categories, dtype=object)).astype(np.float32)
        found = self.numbers(values)
        parts = []
        if self.std > 0:
            parts.append((np.where(np.isnan(found), self.mean, found) - self.mean) / self.std)
        if self.indicator:
            parts.append(np.isnan(found))
        return np.stack(parts, axis=1).astype(np.float32)

    def saved(self) -> dict[str, Any]:
        return asdict(self)


def fit_column(values: pd.Series, train: np.ndarray) -> Column:
    """A column: its kind by all rows, its statistics by the rows ``train`` only; of width 0 if it is constant."""
    name, kind = str(values.name), kind_of(values)
    if kind == "text":
        counts = values.iloc[train].fillna(MISSING).value_counts()
        if len(counts) < 2:
            return Column(name, kind)
        return Column(name, kind, categories=sorted(counts.index[:MOST_CATEGORIES]))
    column = Column(name, kind)
    found = column.numbers(values)[train]
    present = found[~np.isnan(found)]
    column.indicator = 0 < len(present) < len(found)
    if len(present) and present.min() < present.max():
        column.mean, column.std = float(present.mean()), float(present.std())
    return column


def kind_of(values: pd.Series) -> Literal["number", "date", "text"]:
    """Number or date if all values that are not missing are, else text.

    Raises:
        UserError: At least nine in ten of the values are numbers: the others are likely typing errors.
    """
    present = values.dropna()
    no_number = np.isnan(to_numbers(present))
    if not no_number.any():
        return "number"
    if no_number.mean() <= 0.1:
        i = int(no_number.argmax())
        raise UserError(
            f"column {values.name!r}, row {present.index[i] + 1}: {present.iloc[i]!r} is not a number, but nearly all "
            "others are: correct it or leave the cell empty"
        )
    return "date" if present.str.fullmatch(ISO_DATE).all() and not np.isnan(to_days(present)).any() else "text"


def to_numbers(values: pd.Series) -> np.ndarray:
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)


def to_days(values: pd.Series) -> np.ndarray:
    """ISO dates and times as days since 1970, NaN where missing. A time without a zone is taken as UTC."""
    times = pd.to_datetime(values, format="ISO8601", errors="coerce", utc=True)
    return ((times - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)


def fit_columns(table: pd.DataFrame, train: np.ndarray, quiet: bool = False) -> list[Column]:
    """The columns of ``table`` that are used as features; notes say which are left out.

    Left out are columns that are constant over the training rows, a first column without a heading, and texts that are
    names, not categories: more than 20 different values, and more than half as many as training rows.
    """
    columns, counters, constant, names = [], [], [], []
    for name in table.columns:
        column = fit_column(table[name], train)
        present = table[name].iloc[train].dropna()
        distinct = present.nunique() if column.kind == "text" else 0
        if name == "Unnamed: 0":  # the index that pandas writes as the first column by default
            counters.append(name)
        elif column.width == 0:
            constant.append(name)
        elif distinct > max(20, len(present) / 2):
            names.append(name)
        else:
            columns.append(column)
            if distinct > MOST_CATEGORIES and not quiet:
                note(f"column {name!r} has {distinct} categories: only the {MOST_CATEGORIES} most frequent are used")
    left_out = {"a row number": counters, "the same in all training rows": constant, "different in most rows": names}
    for why, which in left_out.items():
        if which and not quiet:
            note(f"not used, because {why}: {', '.join(which)}")
    return columns
