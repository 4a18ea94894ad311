"""What bounds the memory of decoding: room for the threads of a process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """Room for so much at once; what is larger than all of it goes alone.

    Args:
        size: How much.
    """

    def __init__(self, size: int) -> None:
        self.size, self.used, self.changed = size, 0, threading.Condition()

    @contextmanager
    def take(self, much: int) -> Iterator[None]:
        """Waits until there is room, which is taken while the block lasts."""
        with self.changed:
            self.changed.wait_for(lambda: not self.used or self.used + much <= self.size)
            self.used += much
        try:
            yield
        finally:
            with self.changed:
                self.used -= much
                self.changed.notify_all()
