"""Sections of BENCH.md: the recommender's website (``benches/serving.py``), its growth (``benches/growth.py``)."""

from collections.abc import Callable
from statistics import median
from typing import Any

Row = dict[str, Any]
Table = Callable[[list[str], list[list[str]]], str]
GOAL = 50.0  # ms of p95 at 1,682 films with 16 clients on two cores
TEXT = """\
`dive serve` with matrix factorization over generated films (16 numbers each, 64 kinds), a process of its own on the
loopback; the clients are threads of another process on the same cores. A client is a guest with 20 ratings that asks
for 12 suggestions with their reasons, the next time as soon as it has the response."""
FORMER = """\
The rates and CPU times of these rows were measured in a former way: they are of suggestions and of the clients' ratings
before, which were written one after the other. Now the ratings are outside of the time: `dive bench serve` measures."""


def website(rows: list[Row], table: Table) -> list[str]:
    """Latencies with what bounds them, the index, memory."""
    of = {what: [row for row in rows if row["what"] == what] for what in ("latency", "recall", "memory")}
    former = any(row.get("timed") != "suggestions" for row in of["latency"])
    parts = [TEXT, latencies(of["latency"], table), *([FORMER] if former else [])]
    if of["recall"]:
        parts.append(recalls(of["recall"], table))
    else:
        parts.append("`faiss` was not installed: its index was not measured (`pip install -e '.[index]'`).")
    return parts + [memory(row) for row in of["memory"]]


def latencies(rows: list[Row], table: Table) -> str:
    """A line for each row, the goal, and the bound."""
    cells = []
    for row in rows:
        p95, cpu, rate = (median(row[name]) for name in ("p95", "cpu", "rates"))
        verdict = ""
        if (row["items"], row["clients"], row["index"]) == (1682, 16, "exact"):
            verdict = f"under {GOAL:.0f}: " + ("pass" if p95 < GOAL else "**MISS**")
        cells.append(
            [
                *(f"{row['items']:,}", row["index"], str(row["clients"])),
                *(f"{median(row['p50']):.1f}", f"{p95:.1f}", f"{rate:.0f}", f"{cpu:.2f}", f"{cpu * rate / 1e3:.2f}"),
                verdict,
            ]
        )
    head = ["films", "index", "clients", "p50, ms", "p95, ms", "requests/s", "CPU-ms of the server each"]
    note = (
        "\n\nThe busy cores bound it: near 1 the server's one interpreter works without a pause (routes, database and "
        "JSON hold its lock), and time grows with the clients; above 1 there are the products and the search for the "
        "best films too, which run beside it."
    )
    return table([*head, "cores busy", "p95's goal, ms"], cells) + note


def recalls(rows: list[Row], table: Table) -> str:
    """What the index misses, and what it saves."""
    cells = [
        [f"{r['items']:,}", f"{r['recall']:.3f}", f"{r['exact ms']:.2f}", f"{r['faiss ms']:.2f}", str(r["people"])]
        for r in rows
    ]
    return table(["films", "recall of the 12 best", "exact, ms", "faiss, ms", "people"], cells)


def memory(row: Row) -> str:
    """Whether memory grows."""
    shown = ", ".join(f"{value:.0f}" for value in row["mib"])
    return f"MiB of the server over {row['requests']:,} requests ({row['items']:,} films), after each tenth: {shown}."


def growth(rows: list[Row], table: Table) -> str:
    """Time and memory for each size."""
    cells = [
        [
            *(f"{row[name]:,}" for name in ("ratings", "users", "items")),
            *(f"{median(row[name]):,.{digits}f}" for name, digits in (("loading", 2), ("trained", 0), ("epoch", 1))),
            *(f"{median(row[name]):,.0f}" for name in ("ranked", "mib")),
        ]
        for row in rows
    ]
    head = ["ratings", "people", "films", "loading, s", "ratings trained/s", "epoch, s", "people ranked/s", "peak MiB"]
    note = (
        "\n\nAdam moves the vectors of all people and films in each step: a step of 512 ratings costs more with more "
        "of them. A ranking costs more with more films. Memory is that of the whole process, libraries included."
    )
    return table(head, cells) + note
