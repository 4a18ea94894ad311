"""A text file that is too large to hold: it is read anew, block by block, whenever it is gone through.

A ``Text`` is a string, or a ``LongText`` from ``LARGE_FILE`` bytes on. What is made of either is the same: tokens,
vocabularies, digests.
"""

import codecs
import os
import unicodedata
from collections.abc import Iterator
from io import IncrementalNewlineDecoder
from pathlib import Path
from typing import TypeAlias

import regex

from common.messages import UserError
from datamodules.text.files import encoding_of, nearby, read_text, split_places, split_text
from datamodules.text.tokenizers import lines_of

LARGE_FILE = 20_000_000  # bytes
BLOCK = 1 << 20  # characters of a block
AROUND = 64  # characters on either side of a cut that decide whether it parts letters that belong together
LAST_WORD = regex.compile(r".*\S(?=\s)", regex.DOTALL)  # up to the last word with white space after it


class LongText:
    """Characters ``start`` to ``stop`` of a text file, as ``read_text`` would read them.

    Args:
        path: The file.
        encoding: Python's name for it.
        lone: What a carriage return without a line feed becomes.
        start, stop: Characters of the file, counted with ``\\n`` as every line ending.
    """

    def __init__(self, path: str | Path, encoding: str, lone: str, start: int, stop: int) -> None:
        self.path, self.encoding, self.lone, self.start, self.stop = path, encoding, lone, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def part(self, start: int, stop: int) -> "LongText":
        """Characters ``start`` to ``stop`` of this text; nothing is read."""
        first, last = self.start + start, min(self.start + stop, self.stop)
        return LongText(self.path, self.encoding, self.lone, min(first, last), last)

    def blocks(self) -> Iterator[str]:
        """The text in strings of about ``BLOCK`` characters. They begin with the white space that follows a word, as
        ``tokenizers.pieces`` cuts them; where there is none, with no letter that Unicode composes with the one before.
        """
        rest = ""
        for text in self._characters():
            rest += text
            while len(rest) > BLOCK + AROUND:
                end = block_end(rest)
                yield rest[:end]
                rest = rest[end:]
        if rest:
            yield rest

    def lines(self) -> Iterator[str]:
        """The lines, each with its end. One of more than a block is cut as blocks are."""
        rest = ""
        for block in self.blocks():
            *lines, rest = [*lines_of(rest + block), ""]
            if lines and not lines[-1].endswith("\n") and len(lines[-1]) < BLOCK:
                rest = lines.pop()
            yield from lines
        if rest:
            yield rest

    def _characters(self) -> Iterator[str]:
        at = 0  # characters of the file that were read
        for text in decoded(self.path, self.encoding):
            text = text.replace("\r\n", "\n")
            if "\r" in text:
                text = text.replace("\r", self.lone)
            first, last = max(self.start - at, 0), min(self.stop - at, len(text))
            if first < last:
                yield text[first:last]
            at += len(text)
            if at >= self.stop:
                return


Text: TypeAlias = str | LongText


def decoded(path: str | Path, encoding: str) -> Iterator[str]:
    """The characters of a file in order, no ``\\r\\n`` in two parts."""
    decoder = IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=False)
    with open(path, "rb") as file:
        while raw := file.read(BLOCK):
            yield decoder.decode(raw)
    yield decoder.decode(b"", final=True)


def open_text(path: str | Path, option: str = "data.path") -> Text:
    """The text of a file as ``read_text`` reads it, without holding it where it is large.

    Raises:
        UserError: As ``read_text``.
    """
    try:
        large = bool(str(path)) and os.path.isfile(path) and os.stat(path).st_size >= LARGE_FILE
        if not large:
            return read_text(path, option)
        with open(path, "rb") as file:
            encoding = encoding_of(file.read(4))
        length, feeds, blank = 0, False, True
        for text in decoded(path, encoding):
            length += len(text) - text.count("\r\n")
            feeds = feeds or "\n" in text
            blank = blank and not text.strip()
    except UnicodeDecodeError:
        return read_text(path, option)  # says which byte it is
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give --{option} a text file") from None
    if blank:
        raise UserError(f"{path} is empty: give a file with text")
    return LongText(path, encoding, " " if feeds else "\n", 0, length)


def split(text: Text, val_fraction: float, test_fraction: float) -> dict[str, Text]:
    """``files.split_text`` for a text that may be long."""
    if isinstance(text, str):
        return {**split_text(text, val_fraction, test_fraction)}

    def near(cut: int, room: int) -> int:
        return cut + nearby("".join(text.part(cut, cut + room + AROUND).blocks()), 0, room)

    cuts = split_places(len(text), val_fraction, test_fraction, near)
    return {name: text.part(a, b) for name, (a, b) in cuts.items()}


def block_end(text: str) -> int:
    """Where a text of more than a block is cut."""
    if found := LAST_WORD.match(text, 0, BLOCK + 1):
        return found.end()
    for end in range(BLOCK, len(text)):
        before, behind = text[max(0, end - AROUND) : end], text[end : end + AROUND]
        parts = [unicodedata.normalize("NFC", part) for part in (before + behind, before, behind)]
        if parts[0] == parts[1] + parts[2]:
            return end
    return len(text)


def blocks_of(text: Text) -> Iterator[str]:
    """A text in strings, one after the other: a string is one of them."""
    return iter((text,)) if isinstance(text, str) else text.blocks()


def lines_of_text(text: Text) -> Iterator[str]:
    """The lines of a text, each with its end."""
    return lines_of(text) if isinstance(text, str) else text.lines()
