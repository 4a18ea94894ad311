"""One column of a table: its kind, its statistics over the training rows, and its cells as numbers."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from common.messages import UserError
from datamodules.reading import some
from datamodules.tabular import formats

MISSING = "missing"


@dataclass
class Column:
    """One column of the table.

    Args:
        name: Its heading.
        kind: number; date (read as days since 1970); text.
        mean, std: Of the training rows; std 0 means that the values are constant and left out.
        indicator: Whether there is an indicator column for missing numbers.
        categories: The categories of a text, one column each.
        decimal: The decimal sign of its numbers.
        unit: What stands before or behind its numbers, such as % or kg.
        style: The format of its dates (``datamodules/tabular/formats.py``).
        origin: Subtracted before ``mean``: nanoseconds since 1970 of a date, or a number; not 0 only where the values
            are so close together that floating point would round their differences away.
        missing: Words that are missing texts.
    """

    name: str
    kind: Literal["number", "date", "text"]
    mean: float = 0.0
    std: float = 0.0
    indicator: bool = False
    categories: list[str] = field(default_factory=list)
    decimal: str = "."
    unit: str = ""
    style: str = ""
    origin: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def width(self) -> int:
        return len(self.categories) + (self.std > 0) + self.indicator

    def numbers(self, values: pd.Series) -> np.ndarray:
        """The values of a number or date (N,), NaN where missing.

        Raises:
            UserError: A value is infinite, or is not a number or date.
        """
        if not formats.has_texts(values):
            found = values.to_numpy(dtype=np.float64) - self.origin
            if self.kind == "date":
                raise UserError(f"column {self.name!r} has numbers where the model was trained with dates")
            wrong = np.zeros(len(found), dtype=bool)
        else:
            present = without_missing_words(values)
            if self.kind == "number":
                found = to_numbers(present, self.decimal, self.unit, self.origin)
            else:
                found = formats.to_days(present, self.style or formats.ISO, self.origin)
            wrong = np.isnan(found) & present.notna().to_numpy()
        for rows, problem in ((wrong, f"is not a {self.kind}"), (np.isinf(found), "is infinite")):
            if rows.any():
                i = int(rows.argmax())
                cell = f"column {self.name!r}, row {values.index[i] + 1}: {str(values.iloc[i])!r}"
                as_is = f" ({self.describe()})" if self.decimal == "," or self.style not in ("", formats.ISO) else ""
                raise UserError(f"{cell} {problem}{as_is}: correct it or leave the cell empty")
        return found

    def texts(self, values: pd.Series) -> np.ndarray:
        """The cells of a text (N,) as they are compared with the categories."""
        cells = values.astype(object) if formats.has_texts(values) else written(values)
        codes, uniques = formats.different(cells)
        words = {word.casefold() for word in self.missing} | {"?"}
        named = [MISSING if text.casefold() in words and text not in self.categories else text for text in uniques]
        spare = MISSING if MISSING in self.categories else None
        named = [
            spare if spare and text not in self.categories and formats.is_missing_word(text) else text for text in named
        ]
        return np.array([*named, MISSING], dtype=object)[codes]

    def encode(self, values: pd.Series) -> np.ndarray:
        """Returns (N, width), float32."""
        if self.kind == "text":
            return (self.texts(values)[:, None] == np.array(self.categories, dtype=object)).astype(np.float32)
        found = self.numbers(values)
        parts = []
        if self.std > 0:
            parts.append((np.where(np.isnan(found), self.mean, found) - self.mean) / self.std)
        if self.indicator:
            parts.append(np.isnan(found))
        return np.stack(parts, axis=1).astype(np.float32)

    def unseen(self, values: pd.Series) -> Counter[str]:
        """The cells of a text that are not among the categories, with their numbers."""
        return (
            Counter()
            if self.kind != "text"
            else Counter(
                {text: n for text, n in Counter(self.texts(values).tolist()).items() if text not in self.categories}
            )
        )

    def saved(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        """What the column was taken for, in words."""
        if self.kind == "text":
            return f"category, {len(self.categories)}: {some(self.categories)}"
        if self.kind == "date":
            return f"date, {formats.describe_date(self.style)}"
        unit = f" in {self.unit}" if self.unit else ""
        return f"number{unit}, decimal comma" if self.decimal == "," else f"number{unit}"


def written(values: pd.Series) -> pd.Series:
    """Numbers as texts, whole ones without a point."""
    return pd.Series(
        [np.nan if np.isnan(number) else f"{number:.15g}" for number in values.to_numpy(dtype=np.float64)],
        index=values.index,
        dtype=object,
        name=values.name,
    )


def without_missing_words(values: pd.Series) -> pd.Series:
    """Texts with NaN for the words that stand for a missing value among numbers and dates."""
    codes, uniques = formats.different(values)
    if not any(map(formats.is_missing_word, uniques)):
        return values
    kept = [np.nan if formats.is_missing_word(text) else text for text in uniques]
    return pd.Series(np.array([*kept, np.nan], dtype=object)[codes], index=values.index, name=values.name, dtype=object)


def present_cells(values: pd.Series) -> pd.Series:
    """The cells that are not missing; no copy of a column where all are there."""
    return values.dropna() if values.isna().any() else values


def to_numbers(values: pd.Series, decimal: str = ".", unit: str | None = None, origin: int = 0) -> np.ndarray:
    """Numbers as float64, NaN where a text is none; arguments as in ``formats.numbers_in``."""
    if not formats.has_texts(values):
        return values.to_numpy(dtype=np.float64) - origin
    codes, uniques = formats.different(values)
    if origin:
        numbers = np.array([float(int(text) - origin) if is_whole(text) else np.nan for text in uniques])
    else:
        numbers = formats.numbers_in(uniques, decimal, unit)
    return np.append(numbers, np.nan)[codes]


def is_whole(text: str) -> bool:
    return text.lstrip("+-").isdecimal()
