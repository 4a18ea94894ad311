"""How a delimited text file is written: its encoding, its separator, its quotation marks."""

import csv
from dataclasses import dataclass, field

from common.messages import UserError
from datamodules.reading import progress

SEPARATORS = "\t;|,"
START = 1 << 16  # bytes that show encoding and separator
LARGEST_CELL = 50_000_000  # characters; an unclosed quotation mark of a large file would take gigabytes
BINARY = {
    b"PK\x03\x04": "an Excel workbook or another archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a compressed file",
    b"SQLite": "a database",
    b"%PDF": "a PDF file",
}


@dataclass
class Dialect:
    """How a file is written.

    Args:
        encoding: As Python calls it.
        separator: One character.
        skip: Lines before the heading: Excel's ``sep=;``.
        quoting: Of the csv module.
        facts: What is to be said of it.
    """

    encoding: str = "utf-8-sig"
    separator: str = ","
    skip: int = 0
    quoting: int = csv.QUOTE_MINIMAL
    facts: list[str] = field(default_factory=list)


def find_dialect(path: str, encoding: str = "") -> Dialect:
    """Encoding and separator by the first 64 kB.

    Raises:
        UserError: No such file, empty, or not a text.
    """
    if not path:
        raise UserError("data.path is not given: --data.path FILE.csv names your table")
    try:
        with open(path, "rb") as file:
            start = file.read(START)
    except OSError as error:
        raise UserError(f"no file {path}: give --data.path your CSV file ({error.strerror})") from None
    if not start.strip():
        raise UserError(f"{path} is empty: give it a heading and rows")
    dialect = Dialect(encoding or find_encoding(path, start))
    try:
        text = start.decode(dialect.encoding, errors="ignore")
    except LookupError:
        raise UserError(
            f"data.encoding {encoding!r} is not known: give it as utf-8, cp1252 or another of Python's"
        ) from None
    if not encoding and dialect.encoding != "utf-8-sig":
        dialect.facts.append(f"read as {dialect.encoding}; --data.encoding changes it")
    text = text.lstrip("\ufeff")
    whole = text if len(start) < START else text[: text.rfind("\n") + 1] or text
    first = whole.split("\n", 1)[0].strip().strip('"')
    if len(first) == 5 and first.lower().startswith("sep="):
        dialect.separator, dialect.skip = first[4], 1
    else:
        dialect.separator = find_separator(whole)
    return dialect


def find_encoding(path: str, start: bytes) -> str:
    """By the byte order mark, or zeros between the letters; UTF-8 else, or Windows' where it is not.

    Raises:
        UserError: The file is not a text.
    """
    for magic, what in BINARY.items():
        if start.startswith(magic):
            raise UserError(f"{path} is not UTF-8 text but {what}: save it as CSV (UTF-8)")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = start[0:2000:2].count(0), start[1:2000:2].count(0)
    if max(even, odd) > 4 * min(even, odd) + len(start[:2000]) / 8:
        wide = "utf-16-le" if odd > even else "utf-16-be"
        if not any(sign < " " and sign not in "\t\r\n" for sign in start.decode(wide, errors="ignore")):
            return wide
    if b"\0" in start:
        raise UserError(f"{path} is not UTF-8 text: save it as CSV (UTF-8)")
    try:
        with open(path, encoding="utf-8-sig") as file:
            while file.read(1 << 22):
                pass
        return "utf-8-sig"
    except UnicodeDecodeError:
        pass
    try:
        start.decode("cp1252")  # Excel's "CSV" of a Windows of Western Europe and America
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text: save it as CSV (UTF-8), or give --data.encoding") from None
    return "cp1252"


def find_separator(text: str) -> str:
    """The separator outside of quotation marks that parts most lines into as many cells as the heading has."""
    best, score = ",", (0.0, 0)
    for separator in SEPARATORS:
        rows = [row for row in csv.reader(text.splitlines(keepends=True)[:200], delimiter=separator) if row]
        if not rows or len(rows[0]) < 2:
            continue
        fitting = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if (fitting, len(rows[0])) > score:
            best, score = separator, (fitting, len(rows[0]))
    return best


@dataclass
class Survey:
    """What the lines of a file show that pandas does not say.

    Args:
        unclosed: Where a cell begins with a quotation mark that does not end it; empty where all are well.
        short, first_short: The number of rows with fewer cells than the heading, and the line of the first.
        breaks, longest: The number of rows with a line break in a cell, and the lines of the longest.
    """

    unclosed: str = ""
    short: int = 0
    first_short: int = 0
    breaks: int = 0
    longest: int = 0


def survey(path: str, dialect: Dialect) -> Survey:
    """Goes through the lines of a file."""
    seen, start, cells = Survey(), 1, 0
    before = csv.field_size_limit(LARGEST_CELL)
    try:
        with open(path, encoding=dialect.encoding, errors="replace", newline="") as file:
            reader = csv.reader(
                file,
                delimiter=dialect.separator,
                strict=True,
                skipinitialspace=True,
                quoting=dialect.quoting,  # type: ignore[arg-type]
            )
            for row in progress(reader, f"looking through {path}, rows"):
                lines, start, line = reader.line_num - start + 1, reader.line_num + 1, start
                if not row or line <= dialect.skip:
                    continue
                cells = cells or len(row)
                if len(row) < cells:
                    seen.short, seen.first_short = seen.short + 1, seen.first_short or line
                if lines > 1:
                    seen.breaks, seen.longest = seen.breaks + 1, max(seen.longest, lines)
    except csv.Error as error:
        seen.unclosed = (
            f"line {start}: a quotation mark is not closed before the separator (seen in line {reader.line_num}: "
            f"{error}): close it, or write it twice within quotation marks"
        )
    finally:
        csv.field_size_limit(before)
    return seen
