"""Mistakes of the user: one line, exit code 2.

Any exception with an integer ``exit_code`` is shown as one line and ends ``dive`` with that code, so that datamodules
and callbacks can have their own without importing anything from here. The class lives in a module of its own because
``python -m scripts.cli`` has two copies of ``scripts.cli``.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class Mistake(Exception):
    """A mistake in the command, a config or the data."""

    exit_code = 2


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns ``: did you mean X?`` for the closest known word, or nothing where none is close."""
    known = list(known)
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if not close:  # "ImageFolders" is close to "image_folder.ImageFolder" in its last part alone
        tails = {name.rsplit(".", 1)[-1]: name for name in known}
        close = [tails[tail] for tail in get_close_matches(word.rsplit(".", 1)[-1], tails, n=1, cutoff=0.6)]
    return f": did you mean {close[0]!r}?" if close else ""
