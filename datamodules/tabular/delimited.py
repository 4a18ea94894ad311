"""Reads a delimited text file as it really is: its encoding, its separator, its quotation marks; pandas does the rest.

Cells stay as they are written, without blanks around them; an empty one is missing. A column whose cells are all plain
numbers is kept as float64, which is a tenth of the memory of the texts. Large files are read in pieces.
"""

import csv
import hashlib
import os
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from common.messages import UserError, note
from datamodules.cache import digest_of_file, kept
from datamodules.downloads import data_root
from datamodules.reading import progress
from datamodules.tabular.dialect import Dialect, find_dialect, survey
from datamodules.tabular.formats import has_texts, is_missing_word, plain_numbers
from datamodules.tabular.stored_table import ABOUT, VERSION, StoredTable, Writer, give_back

LARGE = 20_000_000  # bytes; a smaller file is read in a second or two
PIECE = 100_000  # cells that are held as texts at once: 6 MB
LARGEST_WHOLE = 2**53  # larger whole numbers are not exact as float64


def read_cells(path: str, encoding: str = "", text: Sequence[str] | None = ()) -> pd.DataFrame:
    """The table as ``read_anew`` reads it; a large file is kept for the next start (``datamodules/cache.py``)."""
    if not os.path.isfile(path) or os.path.getsize(path) < LARGE:
        return read_anew(path, encoding, text)
    how = f"table {VERSION} {encoding} {text}"
    return unpacked(kept(f"reading {path}", digest_of_file(path), how, lambda: packed(read_anew(path, encoding, text))))


def read_stored(path: str, encoding: str = "", text: Sequence[str] | None = ()) -> pd.DataFrame | StoredTable:
    """The table as ``read_anew`` reads it; the columns of a large file lie in files of their own, of which the next
    start takes them (``datamodules/tabular/stored_table.py``).
    """
    if not os.path.isfile(path) or os.path.getsize(path) < LARGE:
        return read_anew(path, encoding, text)
    how = f"{VERSION} {digest_of_file(path)} {encoding} {None if text is None else list(text)}"
    folder = Path(data_root()) / "read" / hashlib.sha256(how.encode()).hexdigest()[:32]
    if (folder / ABOUT).is_file():
        note(f"reading {path}: taken from {folder}, where it was kept; delete the folder to read anew")
        return StoredTable(folder)

    def store(dialect: Dialect) -> pd.DataFrame | StoredTable:
        try:
            return _store_pieces(path, dialect, text, folder)
        except OSError as error:  # no folder to write to, no space
            note(f"reading {path}: all of it into memory, for {folder} cannot be written ({error.strerror})")
            return _read_pieces(path, dialect, text)

    found = read_with(path, encoding, store)
    if isinstance(found, StoredTable):
        note(f"reading {path}: kept in {folder} for the next start")
        give_back(found)
    return found


def packed(table: pd.DataFrame) -> dict[str, Any]:
    """A table as tensors: numbers, or the places of texts in a list of different ones."""
    columns: dict[str, Any] = {}
    for name in table:
        if has_texts(table[name]):
            codes, texts = pd.factorize(table[name])
            columns[str(name)] = {"codes": torch.from_numpy(codes.astype(np.int32)), "texts": list(texts)}
        else:
            columns[str(name)] = torch.from_numpy(table[name].to_numpy(copy=True))
    return {"columns": columns, "attrs": table.attrs}


def unpacked(made: dict[str, Any]) -> pd.DataFrame:
    """The table that ``packed`` was given."""
    columns: dict[str, Any] = {}
    for name, column in made["columns"].items():
        if isinstance(column, torch.Tensor):
            columns[name] = column.numpy()
        else:
            texts = np.empty(len(column["texts"]) + 1, dtype=object)
            texts[:-1], texts[-1] = column["texts"], np.nan
            columns[name] = pd.Series(texts[column["codes"].numpy()], dtype=object)
    table = pd.DataFrame(columns, copy=False)
    table.attrs = made["attrs"]
    return table


def read_anew(path: str, encoding: str = "", text: Sequence[str] | None = ()) -> pd.DataFrame:
    """The table; a column is float64 where all cells are plain numbers or missing, else texts (object).

    ``attrs`` of the result has the ``dialect``, and ``facts``, what is to be said about it.

    Args:
        path: The file.
        encoding: Of the file; empty means as found.
        text: Headings of columns that stay texts; None for all.

    Raises:
        UserError: It cannot be read.
    """
    found = read_with(path, encoding, lambda dialect: _read_pieces(path, dialect, text))
    assert isinstance(found, pd.DataFrame)
    return found


def read_with(
    path: str, encoding: str, read: Callable[[Dialect], pd.DataFrame | StoredTable]
) -> pd.DataFrame | StoredTable:
    """What ``read`` makes of a file whose dialect is found; errors are one line; ``attrs`` has what is to be said."""
    dialect = find_dialect(path, encoding)
    seen = survey(path, dialect)  # 40 MB a second and more; what is read of a large file is kept
    if seen.unclosed and dialect.separator == "\t":
        dialect.quoting = csv.QUOTE_NONE  # in a tab-separated file most programs mean quotation marks as they stand
        seen = survey(path, dialect)
    if seen.unclosed:
        raise UserError(f"{path}, {seen.unclosed}")
    if seen.short:
        dialect.facts.append(
            f"{seen.short:,} rows have fewer cells than the heading, the first in line {seen.first_short}"
        )
    if seen.breaks:
        dialect.facts.append(f"{seen.breaks:,} rows have line breaks in a cell, the longest {seen.longest} lines")
    try:
        table = read(dialect)
    except UnicodeError as error:
        raise UserError(f"{path} is not {dialect.encoding} text ({error}): give --data.encoding") from None
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty: give it a heading and rows") from None
    except (OSError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        says = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        if says.startswith("Length of header"):
            says = "rows have more cells than the first one: take lines above the heading out"
        raise UserError(
            f"{path} cannot be read as CSV: {says}; a cell with a separator in it stands in quotation marks"
        ) from None
    if len(table) == 0:
        raise UserError(f"{path} has a heading but no rows: add rows below it")
    table.attrs.update(attributes(dialect))
    return table


def attributes(dialect: Dialect) -> dict[str, Any]:
    """What a table remembers of its file: the decimal sign where a cell does not show it, and what is to be said."""
    return {"decimal": "," if dialect.separator == ";" else ".", "facts": dialect.facts}


def _pieces(path: str, dialect: Dialect, usecols: list[int] | None = None) -> Iterator[pd.DataFrame]:
    """The table in pieces of texts, as they stand in the file."""
    names = _heading(path, dialect)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # a line with more cells than the heading
        with pd.read_csv(
            path,
            sep=dialect.separator,
            encoding=dialect.encoding,
            skiprows=dialect.skip,
            header=0,
            names=names,
            usecols=usecols,
            dtype=object,
            keep_default_na=False,
            na_values=[],
            index_col=False,
            skipinitialspace=dialect.quoting != csv.QUOTE_NONE,
            quoting=dialect.quoting,  # type: ignore[arg-type]
            chunksize=max(1000, PIECE // max(1, len(names))),
        ) as pieces:
            yield from pieces


def _heading(path: str, dialect: Dialect) -> list[str]:
    """The headings without blanks around them; one that is empty or is there already gets a name as pandas gives it."""
    with open(path, encoding=dialect.encoding, newline="") as file:
        for _ in range(dialect.skip):
            file.readline()
        reader = csv.reader(file, delimiter=dialect.separator, quoting=dialect.quoting, skipinitialspace=True)  # type: ignore[arg-type]
        row = next((row for row in reader if row), [])
    names: list[str] = []
    for place, cell in enumerate(row):
        seen = composed(cell).replace("\u200b", "").replace("\ufeff", "")  # signs without width
        name = " ".join(seen.split()) or f"Unnamed: {place}"
        count = 0
        while (f"{name}.{count}" if count else name) in names:
            count += 1
        names.append(f"{name}.{count}" if count else name)
    return names


def _read_pieces(path: str, dialect: Dialect, text: Sequence[str] | None) -> pd.DataFrame:
    parts: dict[str, list[np.ndarray | pd.Categorical]] = {}
    turned: set[str] = set()  # columns that looked like numbers until a later piece
    names: list[str] = []
    for piece in progress(_pieces(path, dialect), f"reading {path}, pieces"):
        names = list(piece.columns)
        for name in names:
            column, known = compact(piece[name], text is None or name in text), parts.setdefault(name, [])
            if known and isinstance(column, np.ndarray) != isinstance(known[0], np.ndarray):
                turned.add(name)
            known.append(column)
    for name in turned:
        parts[name] = [compact(p[name], True) for p in _pieces(path, dialect, [names.index(name)])]
    return pd.DataFrame({name: joined(parts.pop(name)) for name in names}, copy=False)


def _store_pieces(path: str, dialect: Dialect, text: Sequence[str] | None, folder: Path) -> StoredTable:
    """As ``_read_pieces``, into files."""
    with Writer(folder, names := _heading(path, dialect)) as writer:
        for piece in progress(_pieces(path, dialect), f"reading {path}, pieces"):
            for name in names:
                writer.add(name, compact(piece[name], text is None or name in text))
            writer.rows += len(piece)
        for name in writer.turned:
            writer.restart(name)
            for piece in _pieces(path, dialect, [names.index(name)]):
                writer.add(name, compact(piece[name], True))
        return writer.finish(attributes(dialect))


def joined(parts: list[np.ndarray | pd.Categorical]) -> np.ndarray | pd.Series:
    """The pieces of a column as one; equal texts share their memory."""
    shared: dict[str, str] = {}
    pieces: list[np.ndarray] = []
    for part in parts:
        if isinstance(part, np.ndarray):
            pieces.append(part)
            continue
        cells = np.empty(len(part.categories) + 1, dtype=object)
        cells[:-1], cells[-1] = [shared.setdefault(text, text) for text in part.categories], np.nan
        pieces.append(cells[part.codes])
    whole: np.ndarray = np.concatenate(pieces)
    return whole if whole.dtype == np.float64 else pd.Series(whole, dtype=object)


def compact(cells: pd.Series, keep_text: bool) -> np.ndarray | pd.Categorical:
    """A piece of a column: float64 where all cells are plain numbers, else categories of its stripped texts."""
    codes, uniques = pd.factorize(cells)
    texts = [composed(text.strip()) for text in uniques]
    if not keep_text:
        present = [text for text in texts if text and not is_missing_word(text)]
        numbers = plain_numbers(present)
        if present and _exact(present, numbers):
            lookup = dict(zip(present, numbers, strict=True))
            return np.array([*(lookup.get(text, np.nan) for text in texts), np.nan])[codes]
    names = sorted({text for text in texts if text})
    place = {name: i for i, name in enumerate(names)}
    where = np.array([*(place.get(text, -1) for text in texts), -1], dtype=np.int64)
    return pd.Categorical.from_codes(where[codes], categories=pd.Index(names, dtype=object))


def composed(text: str) -> str:
    """A text in Unicode's composed form: a name typed in two ways is one."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _exact(texts: list[str], numbers: np.ndarray) -> bool:
    """Whether the numbers say all that the texts say: all are numbers, none is a large whole number, and no point may
    be one that groups thousands (``1.234``).
    """
    if np.isnan(numbers).any() or (np.abs(numbers) >= LARGEST_WHOLE).any():
        return False
    points = [text for text in texts if "." in text]
    return not points or not all(map(_groups, points))


def _groups(text: str) -> bool:
    whole, *groups = text.lstrip("+-").split(".")
    return (
        whole.isdigit() and 0 < len(whole) <= 3 and whole[0] != "0" and all(len(g) == 3 and g.isdigit() for g in groups)
    )
