"""Asynchronous execution: when a call returns, and when its result is there. D2L 13.2.

On a GPU every operator is asynchronous: Python puts it into a queue and goes on, and only who reads the result waits.
On a CPU an operator returns when it is done (so does ``torch.jit.fork``, which is deprecated). What runs ahead there is
a second thread (operators release Python's lock), a sum over processes with ``async_op``, a worker of the data loader
(`overlap`). A chain of small operators shows the book's formula: waiting after each of n operators takes n times the
way there and back, waiting once takes it once.
"""

import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

from scripts.evidence.studies.work import Row, Setting, free_port

Start = Callable[[], Callable[[], Any]]  # begins the work; what it returns waits for the result


def returned_and_done(what: str, where: str, start: Start, repeats: int = 7) -> Row:
    """The median seconds until the call returns, and until the result is there."""
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        wait = start()
        returned = time.perf_counter() - begin
        wait()
        times.append((returned, time.perf_counter() - begin))
    returned, done = (median(column) for column in zip(*times[1:], strict=True))
    return {"kind": "call", "what": what, "where": where, "returned": returned, "done": done}


def nothing() -> None:
    """The wait for what is done."""


def on_the_cpu(side: int, repeats: int = 7) -> list[Row]:
    """A product of matrices as an ordinary call, and in a second thread."""
    a, b = torch.randn(side, side), torch.randn(side, side)

    def directly() -> Callable[[], Any]:
        a @ b
        return nothing

    with ThreadPoolExecutor(1) as pool:
        sides: dict[str, Start] = {
            "an operator": directly,
            "an operator in a second thread": lambda: pool.submit(torch.mm, a, b).result,
        }
        return [returned_and_done(what, "CPU", start, repeats) for what, start in sides.items()]


def on_the_gpu(side: int, calls: int) -> list[Row]:
    """The same product, and a chain of small ones."""
    a, b = (torch.randn(side, side, device="cuda") for _ in range(2))

    def launched() -> Callable[[], Any]:
        a @ b
        return torch.cuda.synchronize

    small = torch.randn(64, 64, device="cuda")

    def chain(each: bool) -> None:
        for _ in range(calls):
            small @ small
            if each:
                torch.cuda.synchronize()
        torch.cuda.synchronize()

    chain(False)
    return [returned_and_done("an operator", "GPU", launched), chained("GPU", calls, chain)]


def chained(where: str, calls: int, chain: Callable[[bool], None]) -> Row:
    """Seconds of a chain with a wait after each call, and with one wait."""
    times = {}
    for each in (True, False):
        begin = time.perf_counter()
        chain(each)
        times[each] = time.perf_counter() - begin
    return {"kind": "chain", "where": where, "calls": calls, "each": times[True], "once": times[False]}


def chain_in_a_thread(calls: int) -> Row:
    small = torch.randn(64, 64)
    with ThreadPoolExecutor(1) as pool:

        def chain(each: bool) -> None:
            for _ in range(calls):
                future = pool.submit(torch.mm, small, small)
                if each:
                    future.result()
            future.result()

        chain(False)
        return chained("CPU, a second thread", calls, chain)


def all_reduces(rank: int, port: int, out: str, size: int) -> None:
    """One of two processes: a sum that is begun, and waited for later."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    data = torch.zeros(size // 4)

    def begun() -> Callable[[], Any]:
        work: Any = dist.all_reduce(data, async_op=True)
        return work.wait  # type: ignore[no-any-return]

    row = returned_and_done(f"a sum of {size / 2**20:.0f} MB over two processes, `async_op`", "CPU", begun)
    if rank == 0:
        Path(out).write_text(json.dumps(row))
    dist.destroy_process_group()


def over_processes(size: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "row.json"
        start_processes(all_reduces, (free_port(), str(out), size), nprocs=2, start_method="spawn")
        row: Row = json.loads(out.read_text())
    return row


def measure(setting: Setting) -> list[Row]:
    """When calls return and when they are done (``call``); a chain that is waited for (``chain``)."""
    torch.set_num_threads(setting.threads)
    rows = [*on_the_cpu(256 if setting.small else 2048), chain_in_a_thread(200 if setting.small else 10_000)]
    rows.append(over_processes(2**20 if setting.small else 2**25))
    if torch.cuda.is_available():
        return rows + on_the_gpu(8192, 10_000)
    setting.say("no GPU here: the calls that return long before they are done are not measured")
    return rows
