"""A large table whose columns lie in files: what is in memory is one column, or some rows, at a time.

The columns are written once, piece by piece as the file is read, to ``$DIVE_DATA/read/DIGEST/``: numbers as float64,
texts as int32 places in a list of the different ones. The next start takes them from there. The folder may be deleted.
"""

import ctypes
import json
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

VERSION = 3  # of what is kept
ABOUT = "table.json"


class StoredTable:
    """As much of a ``pandas.DataFrame`` as a table with a target needs: columns by heading, rows by their numbers.

    Args:
        folder: Written by ``Writer``.
    """

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.folder = folder
        self.attrs: dict[str, Any] = about["attrs"]
        self.places: dict[str, int] = {name: place for place, name in enumerate(about["names"])}  # file of each column
        self.texts: dict[str, list[str]] = about["texts"]
        self.index: pd.Index = pd.RangeIndex(about["rows"])

    @property
    def columns(self) -> list[str]:
        return list(self.places)

    def __len__(self) -> int:
        return len(self.index)

    def __contains__(self, name: object) -> bool:
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __getitem__(self, name: str) -> pd.Series:
        """The cells of a column, read anew each time."""
        return self.cells(name, 0, len(self))

    def cells(self, name: str, start: int, stop: int) -> pd.Series:
        """The cells of a column in rows ``start`` to ``stop``."""
        index = self.index[start:stop]
        first, last = (int(index[0]), int(index[-1])) if len(index) else (0, -1)
        kind = np.dtype(np.int32 if name in self.texts else np.float64)
        path = self.folder / f"{self.places[name]}.bin"
        found = np.fromfile(path, kind, last - first + 1, offset=first * kind.itemsize)
        if len(found) > len(index):
            found = found[index.to_numpy() - first]
        if name not in self.texts:
            return pd.Series(found, index=index, name=name, copy=False)
        texts = np.empty(len(self.texts[name]) + 1, dtype=object)
        texts[:-1], texts[-1] = self.texts[name], np.nan  # -1 is missing
        return pd.Series(texts[found], index=index, name=name, dtype=object, copy=False)

    def rows(self, start: int, stop: int, names: Sequence[str]) -> pd.DataFrame:
        """Some columns of rows ``start`` to ``stop``."""
        return pd.DataFrame({name: self.cells(name, start, stop) for name in names}, copy=False)

    def at(self, index: pd.Index) -> "StoredTable":
        """The rows of ascending numbers ``index``."""
        found = copy(self)
        found.index = index
        return found

    def drop(self, columns: Collection[str]) -> "StoredTable":
        """The table without some columns."""
        found = copy(self)
        found.places = {name: place for name, place in self.places.items() if name not in columns}
        return found


def give_back(table: object) -> None:
    """Gives memory that was freed back to the system, where a table is stored: glibc keeps it in pieces that the next
    arrays do not fit in. Does nothing with another C library.
    """
    if isinstance(table, StoredTable):
        with suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)


class Writer:
    """Writes the columns of a table, piece by piece; used in a ``with`` statement, after which the folder is in place.

    Args:
        folder: Where the table is to be; it is written beside it and renamed.
        names: The headings.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, list(names)
        self.temporary = folder.with_name(f"{folder.name}.{os.getpid()}")
        self.rows = 0
        self.places: dict[str, dict[str, int]] = {}  # of the different texts of each column
        self.turned: list[str] = []  # columns that were numbers until a later piece, or the other way
        self.kinds: dict[str, bool] = {}  # whether a column is numbers
        self.empty: dict[str, int] = dict.fromkeys(names, 0)  # missing cells before the first that is there
        self.files: list[IO[bytes]] = []

    def __enter__(self) -> "Writer":
        try:
            self.temporary.mkdir(parents=True, exist_ok=True)
            for place in range(len(self.names)):
                self.files.append((self.temporary / f"{place}.bin").open("wb"))
        except OSError as error:
            self.__exit__(type(error))
            raise
        return self

    def add(self, name: str, part: np.ndarray | pd.Categorical) -> None:
        """Adds a piece to a column."""
        numbers = isinstance(part, np.ndarray)
        if isinstance(part, pd.Categorical) and not len(part.categories):
            self._add_missing(name, len(part))
            return
        if name not in self.kinds:
            self.kinds[name] = numbers
            self._add_missing(name, self.empty.pop(name))
        if self.kinds[name] != numbers:
            if name not in self.turned:
                self.turned.append(name)
            return
        file = self.files[self.names.index(name)]
        if isinstance(part, np.ndarray):
            file.write(part.astype(np.float64, copy=False).tobytes())
            return
        known = self.places.setdefault(name, {})
        places = [known.setdefault(text, len(known)) for text in part.categories]
        file.write(np.array([*places, -1], dtype=np.int32)[part.codes].tobytes())

    def _add_missing(self, name: str, count: int) -> None:
        """Adds missing cells, when it is known whether the column is numbers."""
        if name not in self.kinds:
            self.empty[name] += count
            return
        numbers = self.kinds[name]
        missing = np.full(count, np.nan) if numbers else np.full(count, -1, dtype=np.int32)
        self.files[self.names.index(name)].write(missing.tobytes())

    def restart(self, name: str) -> None:
        """Begins a column anew, as texts."""
        self.kinds[name] = False
        self.places.pop(name, None)
        file = self.files[self.names.index(name)]
        file.seek(0)
        file.truncate()

    def __exit__(self, kind: object, *_: object) -> None:
        for file in self.files:
            with suppress(OSError):  # what is not written is missed by nobody: ``finish`` has closed them already
                file.close()
        if kind is not None:
            shutil.rmtree(self.temporary, ignore_errors=True)

    def finish(self, attrs: dict[str, Any]) -> StoredTable:
        """Puts the table in place."""
        for name in list(self.empty):  # nothing but missing cells
            self.kinds[name] = True
            self._add_missing(name, self.empty.pop(name))
        for file in self.files:
            file.close()
        texts = {name: list(self.places.get(name, ())) for name in self.names if not self.kinds[name]}
        about = {"names": self.names, "rows": self.rows, "texts": texts, "attrs": attrs}
        (self.temporary / ABOUT).write_text(json.dumps(about), encoding="utf-8")
        try:
            os.replace(self.temporary, self.folder)
        except OSError:  # another process was faster
            shutil.rmtree(self.temporary, ignore_errors=True)
        return StoredTable(self.folder)
