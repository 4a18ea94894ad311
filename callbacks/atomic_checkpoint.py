"""Checkpoints are written completely or not at all, also when the process is killed or the disk is full.

Lightning writes a checkpoint to the machine's temporary folder and moves it; where that is another file system, the
move is a copy, and a kill during the copy leaves half a file under the checkpoint's name. Here the temporary file is in
the checkpoint's folder, and an atomic rename puts it in place.
"""

import errno
import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO


class CannotSave(OSError):
    """A checkpoint could not be written: shown as one line, exit code 1 (``scripts/cli.py``)."""

    exit_code = 1


class AtomicCheckpoint(TorchCheckpointIO):
    """Lightning's reader and writer of checkpoint files, with a writer that renames atomically.

    Raises:
        CannotSave: The disk is full or the folder cannot be written; the previous checkpoint is unchanged.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        path = Path(path)
        temporary = path.with_name(f".{path.name}.tmp")  # a fixed name: the next save overwrites what a kill leaves
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except (OSError, RuntimeError) as error:  # torch's archive writer raises RuntimeError for a failed write
            cause = reason(error)
            if cause is None:
                raise
            kept = f"the previous {path.name} is kept" if path.is_file() else "nothing was saved"
            raise CannotSave(f"cannot save {path}: {cause}; {kept}. Make room and continue with --resume") from error
        finally:
            temporary.unlink(missing_ok=True)


def reason(error: BaseException) -> str | None:
    """The reason that the file system gave, also where torch wrapped it; None for other errors."""
    if isinstance(error, OSError):
        return (os.strerror(error.errno) if error.errno else str(error)) or None
    seen = error.__context__ or error.__cause__
    if isinstance(seen, OSError):
        return reason(seen)
    text = str(error)
    for number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES):
        if os.strerror(number) in text:
            return os.strerror(number)
    return "the file could not be written completely" if "PytorchStreamWriter failed" in text else None
