"""What a signal does to a command outside of training."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the command with 130 and 143. Lightning alone turns the first into 1 and, outside of
    training, swallows the second; in training ``LastCheckpoint`` takes over.
    """

    def end(signum: int, frame: Any) -> None:
        raise SystemExit(128 + signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signum: signal.signal(signum, end) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
