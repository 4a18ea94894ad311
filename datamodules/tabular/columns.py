"""Columns of a table as numbers: the kind of each column, its statistics over the training rows, its encoding.

Numbers and dates are standardized by the training rows' mean and standard deviation. Text is one-hot over the
categories of the training rows (an unseen one is all zeros, counted and named). A missing number becomes the mean, and
an indicator column marks it; a missing text is a category of its own. ``datamodules/tabular/formats.py`` knows how
numbers, dates and missing values are written.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from common.messages import UserError, note
from datamodules.reading import some
from datamodules.tabular import formats
from datamodules.tabular.column import MISSING, Column, is_whole, present_cells, to_numbers, without_missing_words
from datamodules.tabular.stored_table import StoredTable, give_back

ROWS = 20_000  # that are encoded at once
MOST_CATEGORIES = 100  # rarer ones of a column are encoded as unseen ones: all zeros
COUNTER_HEADING = re.compile(
    r"(unnamed: ?\d+(\.\d+)*|index|level_\d+|row|row ?_?(number|num|nr|no|id)|#|nr\.?)?", re.IGNORECASE
)


@dataclass
class Taken:
    """What a column was taken for.

    Args:
        column: Its kind, statistics and encoding.
        why: Why it is left out; empty where it is used.
    """

    column: Column
    why: str = ""

    def describe(self) -> str:
        return f"left out: {self.why}" if self.why else self.column.describe()


def fit_column(
    values: pd.Series, train: np.ndarray, decimal: str = ".", day_first: bool = False, missing: Sequence[str] = ()
) -> Column:
    """A column: its kind by all rows, its statistics by the rows ``train`` only; of width 0 if it is constant.

    Args:
        values: Its cells.
        train: Positions of the training rows.
        decimal, day_first: How numbers and dates are read that can be read in two ways.
        missing: Words that are missing texts.
    """
    column = Column(str(values.name), "text", missing=list(missing))
    column.kind, column.decimal, column.style = how_read(values, decimal, day_first)
    if column.kind == "text":
        counts: Counter[str] = Counter()
        for rows in pieces(train):
            counts.update(column.texts(values.iloc[rows]).tolist())
        if len(counts) < 2:
            return column
        column.categories = sorted(name for name, _ in counts.most_common(MOST_CATEGORIES))
        return column
    if column.kind == "number" and formats.has_texts(values):
        column.unit = formats.unit_of(formats.different(without_missing_words(values))[1][:100], column.decimal)
    column.origin = origin_of(values, column)
    found = column.numbers(values)[train]
    present = found[~np.isnan(found)]
    column.indicator = 0 < len(present) < len(found)
    if len(present) and present.min() < present.max():
        column.mean, column.std = float(present.mean()), float(present.std())
    return column


def pieces(rows: np.ndarray) -> list[np.ndarray]:
    """Positions in parts of some thousands: texts take much memory."""
    return np.array_split(rows, -(-len(rows) // ROWS) or 1)


def origin_of(values: pd.Series, column: Column) -> int:
    """The least value where all are within an hour (dates) or are large whole numbers; else 0."""
    if not formats.has_texts(values):
        return 0
    cells = formats.different(without_missing_words(values))[1]
    if column.kind == "number":
        if not cells or not all(map(is_whole, cells)):
            return 0
        whole = [int(text) for text in cells]
        return min(whole) if max(map(abs, whole)) >= 2**53 else 0
    times = pd.to_datetime(pd.Series(cells, dtype=object), format=column.style, utc=True, errors="coerce").dropna()
    micro = times.astype("datetime64[us, UTC]").astype("int64")  # nanoseconds end in the year 2262
    close = len(micro) and micro.max() - micro.min() < 3_600_000_000
    return int(times.astype("datetime64[ns, UTC]").min().value) if close else 0


def kind_of(values: pd.Series) -> Literal["number", "date", "text"]:
    return how_read(values)[0]


def how_read(
    values: pd.Series, decimal: str = ".", day_first: bool = False
) -> tuple[Literal["number", "date", "text"], str, str]:
    """Number or date if all values that are not missing are, else text; the decimal sign; the format of dates.

    Raises:
        UserError: At least nine in ten of the values are numbers: the others are likely typing errors.
    """
    if not formats.has_texts(values):
        return "number", ".", ""
    present = present_cells(without_missing_words(values))
    texts = formats.different(present)[1]
    if not texts:
        return "number", ".", ""
    if signs := formats.decimals_of(texts):
        return "number", decimal if decimal in signs else signs[0], ""
    if style := formats.date_format(texts, day_first):
        return "date", ".", style
    for sign in dict.fromkeys((decimal, ".", ",")):
        codes, uniques = formats.different(present)
        no_number = np.isnan(to_numbers(pd.Series(uniques, dtype=object), sign))[codes]
        if no_number.mean() <= 0.1:
            i = int(no_number.argmax())
            raise UserError(
                f"column {values.name!r}, row {present.index[i] + 1}: {present.iloc[i]!r} is not a number, but nearly "
                "all others are: correct it or leave the cell empty"
            )
    return "text", ".", ""


def decimal_of(table: pd.DataFrame | StoredTable) -> str:
    """The decimal sign of a file where a cell alone does not show it: that of other cells; else a comma in a file
    with semicolons whose numbers show no point.
    """
    shown: Counter[str] = Counter()
    for name in table.columns:
        if isinstance(table, StoredTable) and name in table.texts:
            texts = [text for text in table.texts[name] if not formats.is_missing_word(text)]
        elif formats.has_texts(cells := table[name]):
            texts = formats.different(without_missing_words(cells))[1]
        else:
            shown["."] += bool((cells % 1 != 0).any())
            continue
        shown[formats.shows_decimal(texts[:1000])] += 1
    if shown[","] != shown["."]:
        return "," if shown[","] > shown["."] else "."
    return str(table.attrs.get("decimal", "."))


def is_counter(values: pd.Series) -> bool:
    """Whether the values are the numbers of the rows: counted from 0 or 1, or different whole numbers under a heading
    that says so.
    """
    if formats.has_texts(values) or len(values) < 2 or values.isna().any():
        return False
    found = values.to_numpy()
    if (found % 1 != 0).any():
        return False
    counted = found - found[0] == np.arange(len(found))
    named = COUNTER_HEADING.fullmatch(str(values.name).strip()) is not None
    return bool(counted.all() and found[0] in (0, 1)) or (named and len(np.unique(found)) == len(found))


def judge_columns(
    table: pd.DataFrame | StoredTable,
    train: np.ndarray,
    decimal: str = "auto",
    day_first: bool | None = None,
    missing: Sequence[str] = (),
    whole: pd.DataFrame | StoredTable | None = None,
) -> list[Taken]:
    """What each column is taken for, and why some are left out.

    Left out are columns that are constant over the training rows, row numbers, and texts that are names, not
    categories: more than 20 different values, and more than half as many as training rows.

    Args:
        table: The features.
        train: Positions of the training rows.
        decimal, day_first: How numbers and dates are read that can be read in two ways; auto and None: by the file.
        missing: Words that are missing texts.
        whole: The table with its target, of which the decimal sign is found.
    """
    sign = decimal_of(table if whole is None else whole) if decimal == "auto" else decimal
    first = sign == "," if day_first is None else day_first
    taken: list[Taken] = []
    for name in table.columns:
        cells = None
        give_back(table)
        cells = table[name]
        column = fit_column(cells, train, sign, first, missing)
        own = pieces(train) if column.kind == "text" else []
        distinct = len(set[str]().union(*(cells.iloc[rows].dropna().unique() for rows in own)))
        present = int(cells.notna().to_numpy()[train].sum())
        why = ""
        if str(name).startswith("Unnamed: 0") or is_counter(cells):
            why = "a row number"
        elif column.width == 0:
            why = "the same in all training rows"
        elif distinct > max(20, present / 2):
            why = "different in most rows"
        taken.append(Taken(column, why))
    if all(each.why for each in taken):  # the only column there is may be counted
        for each in taken:
            if each.why == "a row number" and not COUNTER_HEADING.fullmatch(each.column.name) and each.column.width:
                each.why = ""
    return taken


def say_columns(taken: list[Taken], table: pd.DataFrame | StoredTable) -> None:
    """Notes about what is left out and what could be read otherwise."""
    for each in taken:
        name = each.column.name
        if not each.why and each.column.kind == "text" and len(each.column.categories) >= MOST_CATEGORIES:
            distinct = len(set(each.column.texts(table[name]))) - (MISSING in each.column.categories)
            if distinct > MOST_CATEGORIES:
                note(f"column {name!r} has {distinct} categories: only the {MOST_CATEGORIES} most frequent are used")
        if not each.why and each.column.kind == "date" and formats.is_ambiguous(formats.different(table[name])[1]):
            note(f"column {name!r} is taken as {each.column.describe()}; --data.day_first true or false changes it")
    for why in ("a row number", "the same in all training rows", "different in most rows"):
        if which := [each.column.name for each in taken if each.why == why]:
            note(f"not used, because {why}: {', '.join(which)}")


def fit_columns(table: pd.DataFrame, train: np.ndarray, quiet: bool = False, **reading: Any) -> list[Column]:
    """The columns of ``table`` that are used as features; notes say which are left out.

    Args:
        table, train: As in ``judge_columns``.
        quiet: No notes.
        **reading: Further arguments of ``judge_columns``.
    """
    taken = judge_columns(table, train, **reading)
    if not quiet:
        say_columns(taken, table)
    return [each.column for each in taken if not each.why]


def encode_columns(
    table: pd.DataFrame | StoredTable, columns: Sequence[Column], path: str = ""
) -> tuple[np.ndarray, list[str]]:
    """The rows as numbers (N, num_features), float32; and what was unseen in training, counted and named."""
    found, facts = encode_parts(table, columns, Places([np.arange(len(table))], len(table)), path)
    return found[0], facts


class Places:
    """In which of several arrays each row of a table goes, and where: 5 bytes a row.

    Args:
        parts: Positions of the rows of each array.
        rows: Of the table.
    """

    def __init__(self, parts: Sequence[np.ndarray], rows: int) -> None:
        self.sizes = list(map(len, parts))
        self.part, self.place = np.full(rows, -1, np.int8), np.empty(rows, np.int32)
        for number, part in enumerate(parts):
            self.part[part], self.place[part] = number, np.arange(len(part), dtype=np.int32)


def encode_parts(
    table: pd.DataFrame | StoredTable, columns: Sequence[Column], places: Places, path: str = ""
) -> tuple[list[np.ndarray], list[str]]:
    """As ``encode_columns``, several arrays of rows, filled ``ROWS`` rows at a time.

    Raises:
        UserError: The table of the file ``path`` does not have a column.
    """
    if absent := [column.name for column in columns if column.name not in table]:
        gone, has = ", ".join(map(repr, absent)), ", ".join(map(str, table.columns))
        raise UserError(f"{path} has no column {gone}: the model was trained with it; the file has {has}")
    give_back(table)  # the arrays that are made next are as large as the table
    names, width = [column.name for column in columns], sum(column.width for column in columns)
    found = [np.empty((size, width), dtype=np.float32) for size in places.sizes]
    unseen: list[Counter[str]] = [Counter() for _ in columns]
    for start in range(0, len(table), ROWS):
        stop = min(start + ROWS, len(table))
        rows = table.rows(start, stop, names) if isinstance(table, StoredTable) else table.iloc[start:stop]
        x = np.concatenate([column.encode(rows[column.name]) for column in columns], axis=1)
        for counts, column in zip(unseen, columns, strict=True):
            counts.update(column.unseen(rows[column.name]))
        for number, whole in enumerate(found):
            mine = places.part[start:stop] == number
            whole[places.place[start:stop][mine]] = x[mine]
    facts = []
    for column, counts in zip(columns, unseen, strict=True):
        if counts:
            named = some(f"{'empty' if text == MISSING else repr(text)} {n:,}" for text, n in counts.most_common())
            why = "is not among the categories of the model" if len(counts) == 1 else "are not among its categories"
            facts.append(f"column {column.name!r}, {sum(counts.values()):,} rows: {named} {why}")
    return found, facts
