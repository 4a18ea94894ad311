"""Text files: UTF-8, or UTF-16 and UTF-32 with their mark; errors name the position of a byte that cannot be read."""

import codecs
import unicodedata
from collections.abc import Callable
from pathlib import Path

from common.messages import UserError

UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)  # the former begins like UTF-16's
UTF8 = "utf-8-sig"  # with or without a mark
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

#: Signs that end a sentence in Arabic, Devanagari and Ethiopic script, and those after which there may be no space.
SENTENCE_ENDS, UNSPACED_ENDS = r"\u061f\u06d4\u0964\u1362\u1367", r"\u0964\u1362\u1367\u3002"


def read_text(path: str | Path, option: str = "data.path", hint: str = "FILE.txt names your text") -> str:
    """The text of a UTF-8 file with ``\\n`` as every line ending, without a byte-order mark.

    UTF-16 is read where its byte-order mark stands first, as Excel writes "Unicode text". A lone carriage return ends a
    line only in a file without ``\\n``; elsewhere it is a space.

    Args:
        path: The file.
        option: The argument that names it.
        hint: What the argument takes, for the error where it is empty.

    Raises:
        UserError: No such file, a folder, another encoding, or an empty file.
    """
    if not str(path):
        raise UserError(f"{option} is not given: --{option} {hint}")
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"no file {path}: give --{option} a text file") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give --{option} a text file") from None
    text = decode(raw, path).replace("\r\n", "\n")
    if "\r" in text:
        text = text.replace("\r", " " if "\n" in text else "\n")
    if not text.strip():
        raise UserError(f"{path} is empty: give a file with text")
    return text


def decode(raw: bytes, path: str | Path) -> str:
    """The text of a file's bytes, without a byte-order mark.

    Raises:
        UserError: They are neither UTF-8 nor UTF-16 or UTF-32 with its mark.
    """
    kind = encoding_of(raw)
    try:
        return raw.decode(kind)
    except UnicodeDecodeError as error:
        if kind != UTF8:
            raise UserError(f"{path} is not {kind.upper()} text: offset {error.start}; save it as UTF-8") from None
        at = error.start + (3 if raw.startswith(codecs.BOM_UTF8) else 0)
        raise UserError(f"{path} is not UTF-8 text: byte {raw[at]:#04x} at offset {at}; save it as UTF-8") from None


def encoding_of(raw: bytes) -> str:
    """The encoding by a file's first bytes: UTF-8, or what its mark says."""
    return "utf-32" if raw.startswith(UTF32) else "utf-16" if raw.startswith(UTF16) else UTF8


def split_text(text: str, val_fraction: float, test_fraction: float) -> dict[str, str]:
    """Splits a text into training, validation and test part, in this order.

    A cut is moved to the next line end where there is one within a tenth of the part that it begins, and never between
    a letter and its combining marks. Texts of one line, or of few long paragraphs, are cut where the fractions say.
    """
    places = split_places(len(text), val_fraction, test_fraction, lambda cut, room: nearby(text, cut, room))
    return {name: text[start:stop] for name, (start, stop) in places.items()}


def split_places(
    length: int, val_fraction: float, test_fraction: float, near: Callable[[int, int], int]
) -> dict[str, tuple[int, int]]:
    """Where the parts of ``split_text`` begin and end.

    Args:
        length: Characters of the text.
        val_fraction, test_fraction: Of the text.
        near: Moves a cut, by so many characters at most to a line's end: ``nearby``.
    """
    if not (min(val_fraction, test_fraction) >= 0 and val_fraction + test_fraction < 1):
        raise UserError(
            f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
        )
    ends = (1 - val_fraction - test_fraction, 1 - test_fraction)
    rooms = [int(length * part / 10) for part in (val_fraction, test_fraction)]
    cuts = [near(round(length * end), min(room, 1000)) for end, room in zip(ends, rooms, strict=True)]
    return {"train": (0, cuts[0]), "val": (cuts[0], cuts[1]), "test": (cuts[1], length)}


def nearby(text: str, cut: int, room: int) -> int:
    """The first place after a line end within ``room`` characters behind ``cut``; else ``cut``, behind marks."""
    end = text.find("\n", cut, cut + room)
    if end >= 0:
        return end + 1
    while cut < len(text) and unicodedata.category(text[cut]).startswith("M"):
        cut += 1
    return cut
