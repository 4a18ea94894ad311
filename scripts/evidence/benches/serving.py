"""The recommender's website under load: how long suggestions take, what bounds it, memory, and recall of the index.

The server is a process of its own, its clients are threads of this one, on the loopback. A client is a guest with
twenty ratings, which asks for suggestions on one connection, the next time as soon as it has the response.
"""

import http.client
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import torch

from scripts.evidence.benches.serving_site import generated
from scripts.serve.recommender.engine import Explicit

ROOT = Path(__file__).resolve().parents[3]
SIZES, CLIENTS = (1682, 1_000_000), (16, 64)
REQUESTS, FEWER, WARMUP = 2000, 320, 100  # of a turn; of a turn with many films
MANY, MANY_CLIENTS = 100_000, 16  # requests over which memory is watched
RATINGS, BEST = 20, 12  # of a guest; suggestions asked for
ASKED = 200  # people of the recall
Row = dict[str, Any]


class Server:
    """The site over so many films, as a process.

    Args:
        items: Films.
        index: ``exact`` or ``faiss``.
        state: Folder of its database.
    """

    def __init__(self, items: int, index: str, state: str) -> None:
        words = ["-m", "scripts.evidence.benches.serving_site", str(items), "--state", state, "--index", index]
        self.process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline() if self.process.stdout else ""
        if "http://" not in line:
            raise RuntimeError(f"the site of {items:,} films did not start: {line}")
        self.port = int(line.split("http://")[1].split()[0].rpartition(":")[2].strip("/;"))

    def cpu_seconds(self) -> float:
        """CPU time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """MiB that it holds now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def served(items: int, index: str) -> Iterator[Server]:
    """The site while the block lasts."""
    with TemporaryDirectory() as state:
        server = Server(items, index, state)
        try:
            yield server
        finally:
            server.stop()


class Client(threading.Thread):
    """A guest.

    Args:
        server: Whom it asks.
        number: Which films it has rated.
        items: How many there are.
    """

    def __init__(self, server: Server, number: int, items: int) -> None:
        super().__init__(daemon=True)
        self.connection, self.cookie = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300), ""
        self.seconds: list[float] = []
        self.left, self.error = 0, ""
        for k in range(RATINGS):
            film = 1 + (number * 7919 + k * k * 31 + k) % items
            self.ask("POST", "/api/ratings", json.dumps({"film": film, "rating": 1 + (number + k) % 5}))

    def ask(self, method: str, path: str, body: str | None = None) -> None:
        headers = {"content-type": "application/json", **({"cookie": self.cookie} if self.cookie else {})}
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        response.read()
        if response.status not in (200, 201):
            raise RuntimeError(f"{method} {path} got {response.status}")
        self.cookie = (response.getheader("set-cookie") or self.cookie).partition(";")[0]

    def run(self) -> None:
        try:
            self.connection.close()  # the server has closed it if the others took long to begin
            self.connection.connect()
            for _ in range(self.left):
                begun = time.perf_counter()
                self.ask("GET", f"/api/suggestions?count={BEST}")
                self.seconds.append(time.perf_counter() - begun)
        except Exception as error:
            self.error = str(error)


def new_guests(server: Server, items: int, clients: int, requests: int) -> list[Client]:
    """Clients that have rated and will ask so often in all."""
    guests = [Client(server, k, items) for k in range(clients)]
    for guest in guests:
        guest.left = max(1, requests // clients)
    return guests


def load(guests: list[Client]) -> list[float]:
    """Lets clients ask; returns the seconds of each response.

    Raises:
        RuntimeError: A response was not a list of suggestions.
    """
    for guest in guests:
        guest.start()
    for guest in guests:
        guest.join()
    if errors := [guest.error for guest in guests if guest.error]:
        raise RuntimeError(errors[0])
    return [second for guest in guests for second in guest.seconds]


def measure(
    repeats: int,
    say: Callable[[str], None],
    sizes: tuple[int, ...] = SIZES,
    requests: int = REQUESTS,
    many: int = MANY,
) -> list[Row]:
    """Rows of latency for each size, index and number of clients; of memory for the smallest size; of recall."""
    kinds = ["exact", "faiss"] if importlib.util.find_spec("faiss") else ["exact"]
    if len(kinds) == 1:
        say("serve: faiss is not installed, its index was not measured: pip install -e '.[index]'")
    rows: list[Row] = []
    for items in sizes:
        for index in kinds:
            with served(items, index) as server:
                turn = requests if items <= SIZES[0] else min(requests, FEWER)
                rows += [latency(server, items, index, clients, repeats, turn) for clients in CLIENTS]
                for row in rows[-len(CLIENTS) :]:
                    say("serve: " + told(row))
                if items == sizes[0] and index == "exact":
                    rows.append(memory(server, items, many))
        if len(kinds) > 1:
            rows.append(recall(items))
    return rows


def latency(server: Server, items: int, index: str, clients: int, repeats: int, requests: int) -> Row:
    """Turns of load: p50 and p95 in ms, requests per second, and the server's CPU time for one.

    What the clients rated before is outside of the time.
    """
    row: Row = {"what": "latency", "items": items, "index": index, "clients": clients, "requests": requests}
    row |= {"timed": "suggestions", "p50": [], "p95": [], "rates": [], "cpu": []}
    load(new_guests(server, items, clients, min(WARMUP, requests)))
    for _ in range(repeats):
        guests = new_guests(server, items, clients, requests)
        cpu, begun = server.cpu_seconds(), time.perf_counter()
        seconds = load(guests)
        took, used = time.perf_counter() - begun, server.cpu_seconds() - cpu
        cuts = quantiles(seconds, n=20)
        row["p50"].append(1e3 * median(seconds))
        row["p95"].append(1e3 * cuts[-1])
        row["rates"].append(len(seconds) / took)
        row["cpu"].append(1e3 * used / len(seconds))
    return row


def memory(server: Server, items: int, many: int) -> Row:
    """MiB after each tenth of so many requests."""
    found = [server.memory()]
    for _ in range(10):
        load(new_guests(server, items, MANY_CLIENTS, many // 10))
        found.append(server.memory())
    return {"what": "memory", "items": items, "requests": many, "mib": found}


def recall(items: int, people: int = ASKED) -> Row:
    """The fraction of the exactly best films that the index finds, and milliseconds of both, in this process."""
    loaded = generated(items)
    exact, quick = (Explicit(loaded, index) for index in ("exact", "faiss"))
    draw = torch.Generator().manual_seed(1)
    hits, seconds = 0, {"exact": 0.0, "faiss": 0.0}
    for _ in range(people):
        rated = torch.randperm(items, generator=draw)[:RATINGS]
        ratings = torch.randint(1, 6, (len(rated),), generator=draw).float()
        found = []
        for name, engine in (("exact", exact), ("faiss", quick)):
            begun = time.perf_counter()
            found.append(set(engine.best(rated, ratings, BEST)[0].tolist()))
            seconds[name] += time.perf_counter() - begun
        hits += len(found[0] & found[1])
    each = {f"{name} ms": 1e3 * value / people for name, value in seconds.items()}
    return {"what": "recall", "items": items, "people": people, "recall": hits / (people * BEST), **each}


def told(row: Row) -> str:
    """A row of latency as a line."""
    middle = {name: median(row[name]) for name in ("p50", "p95", "rates", "cpu")}
    return (
        f"{row['items']:,} films, {row['index']}, {row['clients']} clients: p50 {middle['p50']:.1f} ms, p95 "
        f"{middle['p95']:.1f} ms, {middle['rates']:.0f} requests/s, {middle['cpu']:.2f} CPU-ms each"
    )
