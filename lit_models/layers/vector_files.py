"""Files of word vectors, as GloVe's and word2vec's programs write them: text or binary, plain or gzip.

GloVe: a line for each word, ``word v1 v2 ...``. word2vec: before that a line with the number of words and the length of
a vector; in its binary form ``word`` and a space are followed by the vector as little-endian float32. What a file is is
read off its first bytes; ``.gz`` in its name, or gzip's first bytes, means that it is compressed.
"""

import gzip
from collections.abc import Container, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import torch
from torch import Tensor

from common.messages import UserError


def open_vectors(path: str | Path) -> BinaryIO:
    """The file for reading, unpacked if it is compressed.

    Raises:
        UserError: There is none.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        return gzip.open(path, "rb") if packed else open(path, "rb")  # type: ignore[return-value]
    except OSError as error:
        raise UserError(f"no file of word vectors {path}: {error.strerror}") from None


def read_vectors(path: str | Path, limit: int = 0, only: Container[str] | None = None) -> tuple[list[str], Tensor]:
    """The words and their vectors (V, E) float32 of a file.

    Args:
        path: GloVe's or word2vec's format.
        limit: The first words of the file only; 0 means all.
        only: Of these, the words to keep, so that a file larger than the memory can be read; None means all.

    Raises:
        UserError: No such file; a line of another length, or that is not UTF-8 text, by its number.
    """
    with open_vectors(path) as file:
        try:
            first = file.readline()
            heading = first.split()
            if len(heading) == 2 and all(part.isdigit() for part in heading):
                count, size = map(int, heading)
                start = file.read(4096)
                file.seek(len(first))
                if is_binary(start, size):
                    return read_binary(path, file, min(limit or count, count), size, only)
                return read_text(path, file, size, limit, 2, only)
            file.seek(0)
            return read_text(path, file, len(heading) - 1, limit, 1, only)
        except (EOFError, gzip.BadGzipFile) as error:
            raise UserError(f"{path} is damaged: {error}") from None


def is_binary(start: bytes, size: int) -> bool:
    """Whether the bytes after the heading are not a line of ``size`` numbers as text."""
    line, end, _ = start.partition(b"\n")
    words = line.split() if end else line.split()[:-1]  # the last word of a longer line may be cut
    try:
        [float(word) for word in words[1 : min(len(words), size + 1)]]
        return len(words) < 2
    except ValueError:
        return True


def read_text(
    path: str | Path, file: BinaryIO, size: int, limit: int, number: int, only: Container[str] | None
) -> tuple[list[str], Tensor]:
    """Lines of a word and ``size`` numbers; the word may have spaces. ``number`` is that of the first line."""
    words: list[str] = []
    rows: list[np.ndarray] = []
    seen = 0
    for number, line in enumerate(file, number):  # noqa: B020  the first line's number goes on
        if limit and seen == limit:
            break
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}, line {number}: byte {line[error.start]:#04x} at {error.start} is not UTF-8; save it as UTF-8"
            ) from None
        if not text.strip():
            continue
        seen += 1
        word, *numbers = text.rstrip().rsplit(" ", size)
        if only is not None and word not in only and len(numbers) == size:
            continue
        try:
            row = np.array(numbers, dtype=np.float32)
        except ValueError:
            row = np.zeros(0, dtype=np.float32)
        if not 0 < size == len(row) or not word:
            raise UserError(f"{path}, line {number}: not a word and {size} numbers, as the lines before it")
        words.append(word)
        rows.append(row)
    if not seen:
        raise UserError(f"{path} has no word vectors: a line is `word 0.1 0.2 ...`")
    return words, table_of(rows, size)


def read_binary(
    path: str | Path, file: BinaryIO, count: int, size: int, only: Container[str] | None
) -> tuple[list[str], Tensor]:
    """``count`` words, each followed by a space and ``size`` float32; a line end may follow."""
    words: list[str] = []
    rows: list[np.ndarray] = []
    for k in range(count):
        name = bytearray()
        while (byte := file.read(1)) not in (b" ", b""):
            if byte != b"\n":
                name += byte
        row = file.read(4 * size)
        if len(row) < 4 * size:
            raise UserError(f"{path} ends after {k} of {count} words: it is cut off")
        word = name.decode(errors="replace")
        if only is None or word in only:
            words.append(word)
            rows.append(np.frombuffer(row, dtype="<f4"))
    return words, table_of(rows, size)


def table_of(rows: Sequence[np.ndarray], size: int) -> Tensor:
    """Rows of numbers as a table (V, size) float32, also of no row."""
    return torch.from_numpy(np.array(rows, dtype=np.float32).reshape(len(rows), size))


def write_vectors(
    path: str | Path, words: Sequence[str], vectors: Tensor, form: Literal["glove", "text", "binary"] = "glove"
) -> None:
    """Writes vectors (V, E); a name that ends in ``.gz`` is compressed.

    Args:
        path: The file.
        words: V words; spaces in one become underscores.
        vectors: (V, E).
        form: ``glove``: lines only; ``text`` and ``binary``: word2vec's.
    """
    rows = vectors.detach().float().cpu().numpy()
    with gzip.open(path, "wb") if str(path).endswith(".gz") else open(path, "wb") as file:
        if form != "glove":
            file.write(f"{len(words)} {rows.shape[1]}\n".encode())
        for word, row in zip(words, rows, strict=True):
            name = word.replace(" ", "_")
            if form == "binary":
                file.write(name.encode() + b" " + row.astype("<f4").tobytes() + b"\n")
            else:
                file.write(f"{name} {' '.join(map(repr, row.tolist()))}\n".encode())
