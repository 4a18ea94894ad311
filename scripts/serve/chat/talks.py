"""The conversations of a site: one for each person, at most so many, forgotten some time after their last use.

A browser knows its conversation by a random number in a cookie. Nothing is written to a disk.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from lit_models.functional.chat_sampling import ChatSampling


class Talk:
    """A person's conversation.

    Args:
        conversation: With the model that was in place when it began, and that it keeps.
        run: The recipe, or the folder, of that model.
        options, max_tokens: How answers are chosen, until the person changes it.
    """

    def __init__(self, conversation: Any, run: str, options: ChatSampling, max_tokens: int) -> None:
        self.conversation, self.run, self.options, self.max_tokens = conversation, run, options, max_tokens
        self.busy = threading.Lock()  # held while an answer is generated or taken back
        self.stopped = threading.Event()
        self.draft = ""  # what stands in the field for the next question
        self.used = 0.0


class Talks:
    """All conversations.

    Args:
        most: At most so many; a new one takes the place of that whose last use is the longest ago.
        seconds: After which an unused one is forgotten.
        clock: Seconds that pass.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.seconds, self.clock = most, seconds, clock
        self.lock = threading.Lock()
        self.known: OrderedDict[str, Talk] = OrderedDict()  # the one that was used last stands last
        self.forgotten = 0

    def find(self, key: str) -> Talk | None:
        """The conversation of a cookie, which is used now; None where there is none, or none any more."""
        with self.lock:
            self._forget()
            talk = self.known.get(key)
            if talk is not None:
                self._use(key, talk)
            return talk

    def add(self, talk: Talk) -> str:
        """Keeps a new conversation; returns its key."""
        key = secrets.token_urlsafe(24)
        with self.lock:
            self._forget()
            while len(self.known) >= self.most:
                self._remove(next(iter(self.known)))
            self.known[key] = talk
            self._use(key, talk)
        return key

    def drop(self, key: str) -> None:
        """Forgets a conversation at once."""
        with self.lock:
            self._remove(key)

    def __len__(self) -> int:
        with self.lock:
            self._forget()
            return len(self.known)

    def _use(self, key: str, talk: Talk) -> None:
        talk.used = self.clock()
        self.known.move_to_end(key)

    def _forget(self) -> None:
        """Those that nobody used for long; an answer in progress is a use."""
        now = self.clock()
        for key, talk in list(self.known.items()):
            if now - talk.used < self.seconds:
                break
            if talk.busy.locked():
                self._use(key, talk)
            else:
                self._remove(key)

    def _remove(self, key: str) -> None:
        talk = self.known.pop(key, None)
        if talk is not None:
            talk.stopped.set()  # an answer in progress has nobody to read it
            self.forgotten += 1
