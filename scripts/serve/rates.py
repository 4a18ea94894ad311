"""How often a client may do something: the limits of writes, of sign-ins and of the administrator's token."""

import threading
import time
from collections import OrderedDict

MAX_CLIENTS = 10_000  # addresses whose rates are remembered


class Rates:
    """A bucket for each client that fills with time: a burst of a quarter minute's, then so many per minute.

    Threads may share it.

    Args:
        per_minute: 0 means any number.
        size: Most clients that are remembered.
    """

    def __init__(self, per_minute: int, size: int = MAX_CLIENTS) -> None:
        self.per_second, self.burst, self.size = per_minute / 60, max(per_minute / 4, 1.0), size
        self.left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.lock = threading.Lock()

    def take(self, client: str, now: float | None = None) -> bool:
        """Whether this client may do one more thing now; if so, it is counted."""
        if not self.per_second:
            return True
        with self.lock:
            left, now = self.filled(client, now)
            self.left.pop(client, None)
            self.left[client] = (left - 1 if left >= 1 else left, now)
            if len(self.left) > self.size:
                self.left.popitem(last=False)  # whoever was away the longest has a full bucket anyway
        return left >= 1

    def has(self, client: str, now: float | None = None) -> bool:
        """Whether ``take`` would say yes; nothing is counted."""
        if not self.per_second:
            return True
        with self.lock:
            return self.filled(client, now)[0] >= 1

    def filled(self, client: str, now: float | None) -> tuple[float, float]:
        """What is in a client's bucket, and the time now."""
        now = time.monotonic() if now is None else now
        left, then = self.left.get(client, (self.burst, now))
        return min(self.burst, left + (now - then) * self.per_second), now
