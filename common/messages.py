"""Messages to the user: errors in one line, notes, suggestions. Every package may import this file.

Any exception with an integer ``exit_code`` is shown as one line, and ends ``dive`` with that code.
"""

import os
import sys
from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """An error that the user can correct, in the command, a config or the data. Its text names the file or key and the
    remedy.
    """

    exit_code = 2


class RunError(RuntimeError):
    """A run failed for a reason outside of the command: training, the machine, another process."""

    exit_code = 1


def refuse_negative(**arguments: float) -> None:
    """Refuses arguments of a model that are below 0 or not numbers (``UserError``)."""
    for name, value in arguments.items():
        if not value >= 0:
            raise UserError(f"model.{name} is {value}: give a number of at least 0")


def is_first_process() -> bool:
    """Whether this is the only process of the run, or the first of them, as the launchers' variables say."""
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
    return next((os.environ[name] for name in names if os.environ.get(name)), "0") == "0"


def note(message: str) -> None:
    """Prints a message for the user in one line on stderr, once for all processes."""
    if is_first_process():
        print(f"note: {message}", file=sys.stderr, flush=True)


def leave_lost_terminal() -> None:
    """Redirects stdout and stderr to the null device if their terminal was closed: writing there would fail."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream)
            os.close(nowhere)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns ``: did you mean X?`` for the closest known word, or nothing where none is close."""
    known = list(known)
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if not close:  # "ImageFolders" is close to "image_folder.ImageFolder" in its last part alone
        tails = {name.rsplit(".", 1)[-1]: name for name in known}
        close = [tails[tail] for tail in get_close_matches(word.rsplit(".", 1)[-1], tails, n=1, cutoff=0.6)]
    return f": did you mean {close[0]!r}?" if close else ""
