"""``dive bench serve``: the generated site answers, its numbers become a section, and its memory stays."""

from pathlib import Path
from statistics import median
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from scripts.evidence.benches import serving
from scripts.evidence.benches.page import table
from scripts.evidence.benches.recommender_page import website
from scripts.evidence.benches.serving_site import generated, site_of
from scripts.serve.app import create_app

ROWS = [
    {"what": "latency", "items": 1682, "index": "exact", "clients": 16, "requests": 10}
    | {"p50": [20.0], "p95": [30.0, 40.0, 60.0], "rates": [400.0], "cpu": [2.5]},
    {"what": "latency", "items": 1682, "index": "exact", "clients": 64, "requests": 10}
    | {"p50": [80.0], "p95": [90.0], "rates": [400.0], "cpu": [2.5]},
    {"what": "memory", "items": 1682, "requests": 10, "mib": [500.0, 501.0]},
]


def test_the_rows_become_a_website() -> None:
    text = "\n\n".join(website(ROWS, table))
    assert "| 1,682 | exact | 16 | 20.0 | 40.0 | 400 | 2.50 | 1.00 | under 50: pass |" in text
    assert "`faiss` was not installed" in text and "after each tenth: 500, 501." in text
    found = {"what": "recall", "items": 1682, "people": 2, "recall": 0.99, "exact ms": 0.2, "faiss ms": 0.1}
    assert "| 1,682 | 0.990 | 0.20 | 0.10 | 2 |" in "\n\n".join(website([*ROWS, found], table))


def test_the_time_is_that_of_suggestions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rating takes a minute and 30 CPU-seconds of the server here, a turn of suggestions half of it."""
    now = [0.0]

    class Guest:
        seconds, error = [0.25, 0.5], ""

        def __init__(self, server: object, number: int, items: int) -> None:
            now[0] += 60 * serving.RATINGS

        def start(self) -> None:
            now[0] += 30

        def join(self) -> None: ...

    monkeypatch.setattr(serving, "Client", Guest)
    monkeypatch.setattr(serving, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    row = serving.latency(SimpleNamespace(cpu_seconds=lambda: now[0] / 2), 300, "exact", 16, 1, 32)  # type: ignore[arg-type]
    assert row["rates"] == [32 / 480] and row["cpu"] == [1e3 * 240 / 32]
    assert "a former way" in "\n\n".join(website(ROWS, table))
    assert "a former way" not in "\n\n".join(website([row], table))


def test_the_generated_site_answers(tmp_path: Path) -> None:
    with TestClient(create_app(site_of(generated(300), "--state", str(tmp_path)))) as client:
        for film in range(1, 6):
            assert client.post("/api/ratings", json={"film": film, "rating": 5}).status_code == 201
        found = client.get("/api/suggestions", params={"count": serving.BEST}).json()["films"]
        assert len(found) == serving.BEST and found[0]["predicted"] > 3.5


@pytest.mark.slow
def test_clients_load_a_server_and_are_measured() -> None:
    said: list[str] = []
    rows = serving.measure(1, said.append, sizes=(300,), requests=64, many=200)
    kinds = {row["index"] for row in rows if row["what"] == "latency"}
    assert kinds == ({"exact", "faiss"} if any(row["what"] == "recall" for row in rows) else {"exact"})
    assert all(0 < row["p50"][0] <= row["p95"][0] and row["cpu"][0] > 0 for row in rows if row["what"] == "latency")
    assert len(next(row for row in rows if row["what"] == "memory")["mib"]) == 11


@pytest.mark.slow
def test_memory_is_flat_over_five_thousand_requests(tmp_path: Path) -> None:
    """Between the halves of 4,000 requests after 1,000 that warm up; 100,000 are asked by the bench."""
    with TestClient(create_app(site_of(generated(300), "--state", str(tmp_path)))) as client:
        client.post("/api/ratings", json={"film": 1, "rating": 5})
        found = []
        for k in range(5000):
            assert client.get("/api/suggestions").status_code == 200
            if k >= 1000 and k % 100 == 0:
                found.append(resident())
    early, late = median(found[:20]), median(found[20:])
    assert late - early < 4, found  # MiB: two kilobytes a request would be that


def resident() -> float:
    """MiB that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
