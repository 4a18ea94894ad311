"""Delimited files of texts as they really are: separators, quotation marks, rows of another number of fields.

The csv module reads the fields. What it cannot know is decided here: the separator, by the rows that fit the heading,
and whether a quotation mark quotes. In a file whose every line has all fields, one that nothing closes is a sign.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from common.messages import UserError
from datamodules.text.files import read_text

SEPARATORS = ",;\t|"
NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
REMEDY = 'close it, or write it twice ("") within a quoted field'
START = 1 << 16  # characters that show the separator


@dataclass
class Row:
    """A row of a file.

    Args:
        line: The line that it begins in, from 1.
        fields: Its cells.
    """

    line: int
    fields: list[str]


@dataclass
class Rows:
    """A file.

    Args:
        heading: The names of the columns.
        rows: The rows below.
        separator: What is between two fields.
        facts: What is to be said of it.
    """

    heading: list[str]
    rows: list[Row]
    separator: str = ","
    facts: list[str] = field(default_factory=list)

    def column(self, name: str) -> list[str]:
        """The cells below a heading."""
        place = self.heading.index(name)
        return [row.fields[place] for row in self.rows]


def read_rows(path: str, columns: Sequence[str] = (), wanted: Sequence[str] = ()) -> Rows:
    """The rows of a file, without blank lines.

    Args:
        path: The file. The lines of a ``.txt`` file without a separator in its heading are one text each.
        columns: Names of the columns where no row has them; the first row is then a row like the others.
        wanted: Headings that the file is expected to have: they decide between separators that fit equally.

    Raises:
        UserError: It cannot be read, has no rows, or one with another number of fields than the heading.
    """
    text = read_text(path)
    first, _, rest = text.partition("\n")
    skipped, separator = 0, ""
    if re.fullmatch(r"\"?sep=.\"?", first.strip(), re.IGNORECASE):  # Excel's
        text, skipped, separator = rest, 1, first.strip().strip('"')[-1]
    before = csv.field_size_limit(len(text) + 1)
    try:
        separator = separator or find_separator(text[:START], path, columns, wanted)
        width = len(columns) or len(next(lines_as_rows(text, separator)).fields)
        found = parse(text, separator, width, path)
    finally:
        csv.field_size_limit(before)
    for row in found.rows:
        row.line += skipped
    check_widths(found.rows, width, separator, path, bool(columns))
    if columns:
        return Rows(list(columns), found.rows, separator, found.facts)
    heading = [nfc(name) for name in found.rows[0].fields]
    return Rows(heading, found.rows[1:], separator, found.facts)


def find_separator(start: str, path: str, columns: Sequence[str], wanted: Sequence[str]) -> str:
    """The separator with which the heading has the most wanted names, or the most rows have its number of fields.

    Among equals it is the one that the file's name says (a tab for ``.tsv``), then the one that makes more fields.
    """
    by_name = {"tsv": "\t", "tab": "\t", "txt": "\t"}.get(path.rpartition(".")[2].lower(), ",")
    scores = {}
    for separator in SEPARATORS:
        reader = csv.reader(io.StringIO(start), delimiter=separator)
        rows = [row for row in reader if any(cell.strip() for cell in row)][:200]
        if len(rows) > 2:
            rows = rows[:-1]  # it may be cut
        lines = [row.fields for row in lines_as_rows(start, separator)][:200]
        heading = {nfc(name) for name in (rows or [[""]])[0]}
        width = len(columns) or len(heading)
        fitting = max(sum(len(row) == width for row in way) / max(1, len(way)) for way in (rows, lines))
        named = sum(name in heading for name in wanted) if not columns else 0
        scores[separator] = (named, width > 1, round(fitting, 2), separator == by_name, width)
    best = max(SEPARATORS, key=lambda separator: scores[separator])
    return by_name if scores[best][1] is False else best


def lines_as_rows(text: str, separator: str) -> Iterator[Row]:
    """Each line as a row: a quotation mark quotes only a whole field."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield Row(number, [unquoted(cell) for cell in line.split(separator)])


def quoted_rows(text: str, separator: str, strict: bool) -> Iterator[Row]:
    """The rows as the csv module reads them, where a quoted field may have separators and line ends."""
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=strict)
    line = 1
    for fields in reader:
        if any(cell.strip() for cell in fields):
            yield Row(line, [cell.strip() for cell in fields])
        line = reader.line_num + 1


def parse(text: str, separator: str, width: int, path: str) -> Rows:
    """The rows, with quotation marks read in the way that gives each row its ``width`` fields.

    Raises:
        UserError: A quotation mark swallows rows.
    """
    lines = list(lines_as_rows(text, separator))
    by_line = all(len(row.fields) == width for row in lines)
    if '"' not in text:
        return Rows([], lines)
    quoted, error = strict_rows(text, separator)
    by_quotes = not error and all(len(row.fields) == width for row in quoted)
    if by_quotes and (not by_line or (len(quoted) == len(lines) and separator != "\t")):
        swallowed = next((row for row in quoted if has_rows(row, separator, width)), None)
        if swallowed is not None:
            raise UserError(f"{path}:{swallowed.line}: a quotation mark opens a field with whole rows in it: {REMEDY}")
        many = sum("\n" in "".join(row.fields) for row in quoted)
        return Rows([], quoted, facts=[f"{many:,} rows have line ends within a quoted field"] if many else [])
    if by_line:
        many = sum('"' in "".join(row.fields) for row in lines)
        return Rows([], lines, facts=[f"in {many:,} rows quotation marks are taken as signs"] if many else [])
    if not error:
        return Rows([], quoted)  # a row has another number of fields
    loose = list(quoted_rows(text, separator, False))
    if len(loose) == len(lines):  # marks within fields, such as "Great" film; no row is swallowed
        return Rows([], loose)
    raise UserError(f"{path}:{error}: a quotation mark is not closed before the end of its field: {REMEDY}")


def strict_rows(text: str, separator: str) -> tuple[list[Row], int]:
    """The rows where each quotation mark quotes a whole field, and 0; or the line of the row where one does not."""
    rows: list[Row] = []
    reader = quoted_rows(text, separator, True)
    try:
        for row in reader:
            rows.append(row)
    except csv.Error:
        ends = rows[-1].line + "".join(rows[-1].fields).count("\n") if rows else 0
        return rows, ends + 1
    return rows, 0


def has_rows(row: Row, separator: str, width: int) -> bool:
    """Whether a field has lines that are whole rows themselves, between its first and its last line."""
    for cell in row.fields if width > 1 else ():
        inner = [line for line in cell.split("\n")[1:-1] if line.strip()]
        if inner and all(len(found) == width for found in csv.reader(inner, delimiter=separator)):
            return True
    return False


def unquoted(cell: str) -> str:
    """A cell without blanks around it, and without quotation marks that quote all of it."""
    cell = cell.strip()
    inner = cell[1:-1].replace('""', "")
    if len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner:
        return cell[1:-1].replace('""', '"').strip()
    return cell


def check_widths(rows: Iterable[Row], width: int, separator: str, path: str, named: bool) -> None:
    """Refuses a row with another number of fields; empty ones behind the last column are dropped."""
    for row in rows:
        while len(row.fields) > width and not row.fields[-1]:
            row.fields.pop()
        if len(row.fields) != width:
            has = f"{width} are named in data.columns" if named else f"the heading has {width}"
            sign = NAMES.get(separator, repr(separator))
            remedy = f"put a text with a {sign} in it into quotation marks"
            if width > 1 and len(row.fields) < width:
                remedy = "add the missing ones"
            raise UserError(f"{path}:{row.line}: {len(row.fields)} fields, but {has}: {remedy}")


def nfc(text: str) -> str:
    """Without blanks around it, in Unicode's composed form: a name typed in two ways is one."""
    return unicodedata.normalize("NFC", text).strip()


def no_column(path: str, column: str, option: str, found: Rows) -> str:
    """The error of a heading that is not there; it says so where the first row seems to be no heading."""
    columns = ", ".join(name for name in found.heading if name)
    remedy = f"give --data.{option}"
    later = {row.fields[-1] for row in found.rows[:1000]}
    if len(found.heading) > 1 and found.heading[-1] in later:
        remedy = "the first row seems to be no heading: name the columns by --data.columns text,label"
    return f"{path}: no column {column!r}; it has {columns[:200]}: {remedy}"
