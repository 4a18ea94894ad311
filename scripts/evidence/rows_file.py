"""Files that several processes write: CSV files of measured rows, and what is replaced as a whole.

A row is one measurement. The columns of its key say which one, so that a key stands once in a file; a row that is
there is never measured again. The lock is the folder's own: it leaves no file, and it ends with the process.
"""

import csv
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.messages import UserError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Waits until no other process is in such a block of the same folder. Blocks cannot be nested."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def cell(value: Any) -> str:
    """A value as a file has it: numbers that are not whole with five significant digits."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def key_of(row: Mapping[str, Any], key: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell(row[name]) for name in key)


def read_unique(path: Path, key: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a file in its order, the first of each key; none where the file does not exist.

    Raises:
        UserError: The file lacks a column of the key.
    """
    if not path.is_file():
        return []
    found: dict[tuple[str, ...], dict[str, str]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if lacking := [name for name in key if name not in (reader.fieldnames or key)]:
            raise UserError(f"{path} has no column {lacking[0]}: it is another version's, move it away")
        for row in reader:
            found.setdefault(key_of(row, key), row)
    return list(found.values())


def missing(path: Path, key: Sequence[str], wanted: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The keys that a file does not have when their turn comes: rows that were appended since then count."""
    for values in wanted:
        if tuple(map(cell, values)) not in {key_of(row, key) for row in read_unique(path, key)}:
            yield values


def append_row(path: Path, columns: Sequence[str], key: Sequence[str], row: Mapping[str, Any]) -> None:
    """Adds a row at the end of a file, unless another process has added one of its key since.

    Raises:
        UserError: The file has other columns.
    """
    with locked(path.parent):
        there = read_unique(path, key) if path.is_file() and path.stat().st_size else None
        if there and list(there[0]) != list(columns):
            raise UserError(f"{path}: the columns are {', '.join(there[0])}, not {', '.join(columns)}: move it away")
        if there and key_of(row, key) in {key_of(other, key) for other in there}:
            return
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            if there is None:
                writer.writeheader()
            writer.writerow({name: cell(value) for name, value in row.items()})
