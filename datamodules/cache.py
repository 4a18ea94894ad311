"""What took long to read is kept as tensors, so that the second start takes seconds.

A file ``$DIVE_DATA/read/DIGEST.pt`` holds tensors, texts and numbers, and is read without running any code in it. The
digest is of the content of a file, or of names, sizes and times of many, and of how they were read. Files may be
deleted.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from common.messages import is_first_process, note
from datamodules.downloads import data_root

WORTH = 5.0  # seconds of reading that are worth a file
VERSION = 1  # of what is kept


def digest_of_file(path: str) -> str:
    """SHA-256 of the content of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_files(paths: Iterable[str]) -> str:
    """SHA-256 of the names, sizes and times of files, whose contents are not read."""
    digest = hashlib.sha256()
    for path in paths:
        state = os.stat(path)
        digest.update(f"{os.path.abspath(path)} {state.st_size} {state.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def kept(what: str, digest: str, how: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``make`` returns: tensors, texts, numbers, lists and dicts of them; from the cache where it is there.

    Args:
        what: For messages: ``reading FILE``.
        digest: Of the files.
        how: The settings that the result depends on.
        make: Reads the files.
    """
    name = hashlib.sha256(f"{VERSION} {digest} {how}".encode()).hexdigest()[:32]
    path = Path(data_root()) / "read" / f"{name}.pt"
    if path.is_file():
        try:
            found: dict[str, Any] = torch.load(path, weights_only=True)
            note(f"{what}: taken from {path}, where it was kept; delete the file to read anew")
            return found
        except Exception:  # half a file, or of another version: read anew
            pass
    began = time.monotonic()
    made = make()
    if time.monotonic() - began >= WORTH and is_first_process():
        save(path, made, what)
    return made


def save(path: Path, made: dict[str, Any], what: str) -> None:
    """Writes the file and puts it in place by one rename; a folder that cannot be written to is no error."""
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(made, temporary)
        os.replace(temporary, path)
        note(f"{what}: kept in {path} ({path.stat().st_size / 1e6:,.0f} MB) for the next start")
    except (OSError, RuntimeError):  # torch says the latter of a disk that is full
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
