"""The tables of ``dive performance`` in Markdown, from what was measured. Nothing is measured here."""

from collections.abc import Callable
from statistics import median
from typing import Any

from scripts.evidence.benches.page import table
from scripts.evidence.studies.roofline import roof
from scripts.evidence.studies.work import Row


def time_of(seconds: float | None) -> str:
    """With three digits, in the unit that suits: 1.50 ns, 80.0 us."""
    if seconds is None:
        return "not run"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def size_of(number: float) -> str:
    for unit, size in (("MB", 2**20), ("KB", 2**10)):
        if number >= size:
            return f"{number / size:.0f} {unit}"
    return f"{number:.0f} bytes"


def hardware(rows: list[Row]) -> str:
    items = [row for row in rows if row["kind"] == "item"]
    cells = [[r["what"], time_of(r["here"]), time_of(r["book"]) if r["book"] else ""] for r in items]
    rates = [
        [f"copying {size_of(r['bytes'])}, {place(r)}", f"{r['rate'] / 1e9:.3g} GB/s"]
        for r in rows
        if r["kind"] == "copy"
    ]
    rates += [
        [f"product of {r['side']} x {r['side']}, {r['type']}, {place(r)}", f"{r['rate'] / 1e9:,.0f} GFLOP/s"]
        for r in rows
        if r["kind"] == "product"
    ]
    for r in (r for r in rows if r["kind"] == "network"):
        between = f"latency {time_of(r['latency'])}, {r['rate'] / 1e9:.3g} GB/s"
        rates.append(["messages between two processes (loopback)", between])
    return table(["what", "here", "the book's table"], cells) + "\n\n" + table(["rate", "here"], rates)


def place(row: Row) -> str:
    return "GPU" if row["where"] == "GPU" else f"{row['threads']} thread{'s' * (row['threads'] > 1)}"


def compiled(rows: list[Row]) -> str:
    if not rows:
        return "Not run: there is no C++ compiler, which inductor needs for the CPU."
    cells = []
    for row in rows:
        eager, made = median(row["eager"]), median(row["compiled"])
        turns = [a / b for a, b in zip(row["eager"], row["compiled"], strict=True)]
        paid = f"{row['compiling'] / (eager - made):,.0f}" if made < eager else "never"
        ratio = f"{eager / made:.2f} ({min(turns):.2f} to {max(turns):.2f})"
        names = [row["network"], row["where"], f"{row['parameters']:,}", str(row["batch"])]
        cells.append([*names, time_of(eager), time_of(made), ratio, f"{row['compiling']:.1f} s", paid])
    head = ["network", "on", "parameters", "rows", "step, eager", "compiled", "times as fast", "compiling"]
    return table([*head, "break-even, steps"], cells)


def asynchronous(rows: list[Row]) -> str:
    calls = [row for row in rows if row["kind"] == "call"]
    cells = [[r["what"], r["where"], time_of(r["returned"]), time_of(r["done"])] for r in calls]
    chains = [row for row in rows if row["kind"] == "chain"]
    waits = [[r["where"], f"{r['calls']:,}", time_of(r["each"]), time_of(r["once"])] for r in chains]
    if not any(row["where"] == "GPU" for row in rows):
        cells.append(["an operator", "GPU", "not run", "not run"])
    first = table(["a call", "on", "returns after", "result available after"], cells)
    return first + "\n\n" + table(["small operators on", "calls", "a wait after each", "one wait"], waits)


def overlap(rows: list[Row]) -> str:
    cells = [
        [r["what"], r["where"], time_of(r["after"]), time_of(r["overlapped"]), time_of(r["limit"])]
        + [f"{r['after'] / r['overlapped']:.2f}"]
        for r in rows
    ]
    if not any(row["where"] == "GPU" for row in rows):
        cells.append(["copies to the GPU, from pinned memory", "GPU", "not run", "", "", ""])
    head = ["what overlaps with computing", "on", "a step, one after the other", "overlapped", "limit"]
    return table([*head, "times as fast"], cells)


def roofline(rows: list[Row]) -> str:
    (top,) = (row for row in rows if row["kind"] == "roof")
    ridge = top["rate"] / top["bandwidth"]
    cells = []
    for row in (row for row in rows if row["kind"] == "network"):
        intensity, rate = row["operations"] / row["bytes"], row["operations"] / row["seconds"]
        bound = "bandwidth" if intensity < ridge else "arithmetic"
        numbers = [f"{row['operations'] / 1e6:,.1f}", f"{row['bytes'] / 1e6:,.2f}", f"{intensity:.1f}"]
        part = f"{100 * rate / roof(rows, intensity):.0f} %"
        cells.append([f"`{row['recipe']}`", *numbers, time_of(row["seconds"]), f"{rate / 1e9:.2f}", bound, part])
    note = (
        f"The roof: {top['rate'] / 1e9:,.0f} GFLOP/s and {top['bandwidth'] / 1e9:.1f} GB/s, which meet at "
        f"{ridge:.1f} operations for each byte.\n\n"
    )
    head = ["recipe", "million operations", "MB", "operations for each byte", "both passes", "GFLOP/s", "bound by"]
    return note + table([*head, "of the roof"], cells)


TABLES: dict[str, Callable[[list[Row]], str]] = {
    "hardware": hardware,
    "compile": compiled,
    "asynchronous": asynchronous,
    "overlap": overlap,
    "roofline": roofline,
}


def facts_line(facts: dict[str, Any]) -> str:
    """On which machine, and how seriously, a study was measured."""
    machine = facts["machine"]
    small = " Small sizes, to see that it runs: no measurement." if facts["small"] else ""
    threads = f"{facts['threads']} thread{'s' * (facts['threads'] > 1)}"
    return (
        f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']} at the start, {threads}; torch "
        f"{machine['torch']}; commit {facts['commit']}, {facts['date']}.{small}"
    )


def section(study: str, found: dict[str, Any] | None) -> str:
    """A study's tables and what they were measured on."""
    if found is None:
        return f"Not run: `dive performance {study} --write`.\n"
    return f"{TABLES[study](found['rows'])}\n\n{facts_line(found)}\n"
