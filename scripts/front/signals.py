"""Signals outside of training: a command prints one line and ends with exit code 128 plus the signal's number."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from common.messages import is_first_process, leave_lost_terminal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ending_on_signals(at_once: bool = False) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP end the command with 130, 143 and 129. Without this, Lightning ends with 1
    for the first and, outside of training, ignores the second; in training ``LastCheckpoint`` handles signals.

    Args:
        at_once: End the process immediately. For the time before there is work to clean up: while modules are imported,
            when an exception could be mistaken for a missing package.
    """
    ended: list[int] = []

    def end(signum: int, frame: Any) -> None:
        if signum == signal.SIGHUP:
            leave_lost_terminal()
            if ended:  # by the system and by the shell
                return
        if is_first_process() and not ended:
            with suppress(OSError):  # not print: a signal may interrupt one
                os.write(2, f"dive: stopped by {signal.Signals(signum).name}\n".encode())
        if at_once or ended:
            os._exit(128 + signum)
        ended.append(signum)
        raise SystemExit(128 + signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [signum for signum in SIGNALS if signal.getsignal(signum) is not signal.SIG_IGN]  # nohup ignores SIGHUP
    before = {signum: signal.signal(signum, end) for signum in heard}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
