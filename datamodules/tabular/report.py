"""What a person is told about the columns of a table: what each was taken for, and what a new table has otherwise."""

from collections.abc import Collection, Sequence

import pandas as pd

from common.messages import note
from datamodules.reading import some
from datamodules.tabular.columns import Taken
from datamodules.tabular.stored_table import StoredTable

MOST_NAMES = 20  # of columns of one kind


def by_kind(taken: Sequence[Taken]) -> str:
    """The columns that are used, in one line: ``number: area, rooms; category: town (3)``."""
    groups: dict[str, list[str]] = {}
    for each in taken:
        if each.why:
            continue
        column = each.column
        kind = "category" if column.kind == "text" else column.describe()
        name = repr(column.name) if "," in column.name else column.name
        groups.setdefault(kind, []).append(f"{name} ({len(column.categories)})" if kind == "category" else name)
    return "; ".join(f"{kind}: {some(names, MOST_NAMES)}" for kind, names in groups.items())


def taken_for(table: pd.DataFrame | StoredTable, taken: Sequence[Taken], target: str, kind: str) -> dict[str, str]:
    """What each column was taken for, in the order of the file.

    Args:
        table: The whole table.
        taken: Its features.
        target, kind: The heading of the target, and what it is.
    """
    told = {str(name): "left out: data.ignore" for name in table.columns}
    return told | {each.column.name: each.describe() for each in taken} | {target: f"the target: {kind}"}


def describe_table(
    path: str, table: pd.DataFrame | StoredTable, taken: Sequence[Taken], target: str = "", ignore: Collection[str] = ()
) -> list[str]:
    """A line for each column with what it is taken for.

    Args:
        path: The file.
        table: What was read of it.
        taken: What each column is taken for.
        target: The heading of the target; empty where it is not known yet.
        ignore: The headings of columns that are left out.
    """
    width = max(len(each.column.name) for each in taken)
    lines = [f"{path}: {len(table):,} rows, {len(taken)} columns", *table.attrs.get("facts", ())]
    for each in taken:
        name = each.column.name
        what = "left out: data.ignore" if name in ignore else each.describe()
        empty = int(table[name].isna().sum())
        gaps = f"; {empty:,} rows missing" if empty else ""
        lines.append(f"  {name:<{width}}  {'the target; ' if name == target else ''}{what}{gaps}")
    if not target:
        lines.append("which one is to be predicted? --data.target COLUMN")
    return lines


def say_target(path: str, values: pd.Series, classes: Sequence[str]) -> None:
    """A note of what the target of a file is taken for."""
    kind = f"{len(classes)} classes ({some(classes)})" if classes else "a number (regression)"
    kind += "" if classes else f" from {values.min():,.10g} to {values.max():,.10g}"
    note(f"the target {values.name!r} of {path} is taken as {kind}; --data.task changes it")


def other_columns(names: Sequence[str], then: Sequence[str]) -> list[str]:
    """What a new table has otherwise than the one that the model was trained with: unknown columns, another order.

    Args:
        names: Its headings.
        then: The headings in training; empty where a run did not keep them.
    """
    facts = []
    if then and (unknown := [name for name in names if name not in then]):
        facts.append(f"columns that the model was not trained with are not used: {some(unknown)}")
    if [name for name in then if name in names] != [name for name in names if name in then]:
        facts.append("the columns stand in another order than in training: they are taken by their names")
    return facts
