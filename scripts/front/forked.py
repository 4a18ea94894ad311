"""A ``dive`` command in its own process, without the seconds of importing torch and Lightning.

The standard library's fork server imports them once; each command then runs in a process forked from it. The server
itself never trains: torch refuses a backward pass in a process that was forked after one.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["scripts.front.lightning_cli"])


def run(words: list[str], env: Mapping[str, str | None]) -> tuple[int, str]:
    """Runs ``dive WORDS``; returns its exit code and its output.

    Args:
        words: The verb and its arguments.
        env: Variables set for it; None removes one.
    """
    with tempfile.TemporaryDirectory(prefix="dive-command-") as folder:
        log = Path(folder) / "log"
        process = FORKS.Process(target=_enter, args=(list(words), dict(env), str(log)))
        process.start()
        process.join()
        return int(process.exitcode or 0), log.read_text() if log.is_file() else ""


def _enter(words: list[str], env: dict[str, str | None], log: str) -> None:
    """The function that runs in the new process."""
    for key, value in env.items():
        if value is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = value
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    from scripts.cli import main

    sys.argv = ["dive", *words]
    sys.exit(main())
