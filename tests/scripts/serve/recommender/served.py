"""``dive serve`` as a process of its own that is killed, and clients that remember which ratings it acknowledged."""

import os
import re
import signal
import threading
import time
from pathlib import Path
from types import TracebackType

import httpx

from tests import warm

FILMS = 400  # of the generated catalog


class Served:
    """A server on a free port; at the end it gets SIGTERM, unless it was killed.

    Args:
        run: A recipe or a run's folder.
        state: The folder of its database.
        log: Its output.
        runs: ``DIVE_RUNS``.
    """

    def __init__(self, run: str, state: Path, log: Path, runs: Path) -> None:
        words = [run, "--port", "0", "--state", str(state), "--writes_per_minute", "0"]
        self.log = log
        self.process = warm.start(warm.dive, "serve", *words, log=log, env={"DIVE_RUNS": str(runs)})
        self.address = ""

    def __enter__(self) -> "Served":
        end = time.monotonic() + warm.SECONDS
        while not (found := re.search(r"on (http://\S+) with", self.log.read_text() if self.log.is_file() else "")):
            assert self.process.is_alive() and time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)  # looks again
        self.address = found[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(60)
            self.process.kill()

    def kill(self) -> None:
        """``kill -9``."""
        os.kill(int(self.process.pid or 0), signal.SIGKILL)
        self.process.join()


class Guest:
    """A client that rates film after film.

    Args:
        number: Another one begins at another film.
    """

    def __init__(self, number: int) -> None:
        self.number, self.count = number, 0
        self.cookies = httpx.Cookies()
        self.kept: dict[int, float] = {}  # the rating of each film that was acknowledged last
        self.asked: tuple[int, float] | None = None  # film and rating of a request whose response never came
        self.statuses: set[int] = set()

    def rate_until_it_dies(self, *addresses: str, most: int = 1_000_000) -> None:
        """Rates at these servers in turn, until one of them responds no more or ``most`` ratings are there."""
        with httpx.Client(timeout=warm.SECONDS, cookies=self.cookies) as client:
            for _ in range(most):
                film, rating = 1 + (self.count * 7 + self.number) % FILMS, float(1 + self.count % 5)
                self.asked = (film, rating)
                address = addresses[self.count % len(addresses)]
                try:
                    response = client.post(f"{address}/api/ratings", json={"film": film, "rating": rating})
                except httpx.TransportError:
                    break
                self.statuses.add(response.status_code)
                self.count += 1
                if response.status_code == 201:
                    self.kept[film] = rating
                self.asked = None
            self.cookies = client.cookies

    def stored(self, address: str) -> dict[int, float]:
        """What a server says that this guest rated."""
        with httpx.Client(timeout=warm.SECONDS, cookies=self.cookies) as client:
            return {film["id"]: film["rating"] for film in client.get(f"{address}/api/ratings").json()["films"]}

    def check(self, address: str) -> None:
        """Every acknowledged rating is there; of the one without an response both is right, and it is then known."""
        found = self.stored(address)
        if self.asked and self.kept.get(self.asked[0]) != found.get(self.asked[0]):
            assert found[self.asked[0]] == self.asked[1]
            self.kept[self.asked[0]] = self.asked[1]
        assert found == self.kept


def all_at_once(guests: list[Guest], *addresses: str, most: int = 1_000_000) -> list[threading.Thread]:
    """Lets each guest rate in a thread of its own."""
    threads = [
        threading.Thread(target=guest.rate_until_it_dies, args=addresses, kwargs={"most": most}) for guest in guests
    ]
    for thread in threads:
        thread.start()
    return threads
