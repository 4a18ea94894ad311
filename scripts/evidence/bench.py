"""``dive bench``: our recipes against the bare PyTorch loop and against what people would write instead, side by side.

    dive bench                          everything, about forty minutes on two idle cores
    dive bench lenet --threads 1        one workload
    dive bench [PART...] --write        what was measured into results/bench.json and BENCH.md; other parts stay
    dive bench ddp --threads 1 --repeats 7 --write
    dive bench serve                    the recommender's website over 1,682 and a million films, with clients
    dive bench scaling cnn/lenet        a recipe on several processes, beside a simulation (``benches/scaling.py``)

The sides (``benches/``) take turns in one process with a fixed number of threads and do optimizer steps of the
same kind on batches of the same size; they are compared by the medians of at least five turns. Ratios are worth more
than rates, which hold on one machine alone. Run it on an idle one: the page shows the load it found.
"""

import io
import json
import logging
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import torch

from callbacks.run_record import commit, versions
from common.messages import UserError, did_you_mean
from scripts.evidence.benches import bare, checkpoints, d2l_manner, growth, naive_lightning, ours, processes, rl_solved
from scripts.evidence.benches import scaling as scaling_over_processes
from scripts.evidence.benches.page import render
from scripts.evidence.benches.parts import PARTS as SEQUENCES
from scripts.evidence.benches.workloads import IMAGES, WARMUP, WORKLOADS, Clock, Workload
from scripts.evidence.rows_file import locked, replace_text
from scripts.front.option_parser import OptionParser

ROOT = Path(__file__).resolve().parents[2]
Side = Callable[[Workload, Clock, int], None]
FAST: dict[str, Side] = {"bare": bare.train, "ours": ours.train}
SLOW: dict[str, Side] = {
    "d2l, 0 workers": partial(d2l_manner.train, workers=0),
    "d2l, 4 workers": partial(d2l_manner.train, workers=4),
    "naive Lightning": naive_lightning.train,
    "naive Lightning with accuracy": partial(naive_lightning.train, accuracy=True),
}


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings and no notes; progress bars are drawn, but their output is discarded."""
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        yield
    log.setLevel(level)


def timed(side: Side, work: Workload, steps: int, rows: int = IMAGES, warmup: int = WARMUP) -> Clock:
    """Trains one side from scratch and returns its clock.

    Raises:
        RuntimeError: It did another number of steps than it was asked for.
    """
    clock = Clock(steps, warmup)
    with quiet():
        side(work, clock, rows)
    if clock.count != clock.total:
        raise RuntimeError(f"{work.name}: {clock.count} steps instead of {clock.total}")
    return clock


def training(work: Workload, threads: int, repeats: int, sides: dict[str, Side] = FAST | SLOW) -> list[dict[str, Any]]:
    """Samples per second of each side in each turn; the sides take turns, so that a slow minute affects all of them."""
    torch.set_num_threads(threads)
    table: dict[str, dict[str, Any]] = {}
    for _ in range(repeats):
        for name, side in sides.items():
            clock = timed(side, work, work.steps if name in FAST else work.slow_steps)
            facts = {"workload": work.name, "threads": threads, "side": name}
            row = table.setdefault(name, facts | {"steps": clock.steps, "samples": clock.samples, "rates": []})
            row["rates"].append(clock.samples / clock.seconds)
            say(f"{work.name}, {threads} threads, {name}: {row['rates'][-1]:,.0f} samples/s")
    return list(table.values())


def scaling(work: Workload, threads: int, repeats: int) -> list[dict[str, Any]]:
    """Our seconds for an epoch of 1, 2, 4 and 8 times the data: as many warm epochs as make 60,000 samples."""
    torch.set_num_threads(threads)
    rows: list[dict[str, Any]] = [
        {"workload": work.name, "threads": threads, "images": IMAGES // k, "seconds": []} for k in (8, 4, 2, 1)
    ]
    for _ in range(repeats):
        for row in rows:
            batches, epochs = -(-row["images"] // work.batch_size), IMAGES // row["images"]
            clock = timed(ours.train, work, batches * epochs, row["images"], warmup=batches)
            row["seconds"].append(clock.seconds / epochs)
            say(f"{work.name}, {row['images']} images: {row['seconds'][-1]:.3f} s/epoch")
    return rows


def startup(repeats: int) -> list[dict[str, Any]]:
    """Wall and CPU seconds of whole commands."""
    rows: list[dict[str, Any]] = []
    for what, arguments in processes.STARTS.items():
        runs = [processes.python(arguments)[:2] for _ in range(repeats)]
        rows.append({"what": what, "wall": [r[0] for r in runs], "cpu": [r[1] for r in runs]})
        say(f"{what}: {min(rows[-1]['wall']):.2f} s")
    return rows


def memory(repeats: int) -> list[dict[str, Any]]:
    """Peak memory of training LeNet, in processes of their own."""
    rows: list[dict[str, Any]] = []
    for what, (side, options) in processes.SIDES.items():
        rows.append({"what": what, "mib": [processes.training_memory(side, options) for _ in range(repeats)]})
        say(f"memory, {what}: {min(rows[-1]['mib']):.0f} MiB")
    return rows


def measured(measure: Callable[..., list[dict[str, Any]]], threads: int, repeats: int) -> list[dict[str, Any]]:
    """A part that measures itself, without warnings and notes; its lines are printed at its end."""
    lines: list[str] = []
    with quiet():
        rows = measure(threads, repeats, lines.append)
    for line in lines:
        say(line)
    return rows


def solved(repeats: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """``dive bench solved``, without what Lightning says."""
    return measured(lambda _, count, tell: rl_solved.measure(count, tell), 1, repeats)


def website(repeats: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """``dive bench serve``, which needs the packages of ``dive serve``."""
    from scripts.verbs.serve import refuse_missing_packages

    refuse_missing_packages()
    from scripts.evidence.benches import serving

    return serving.measure(repeats, say)


#: Parts with processes and tables of their own: module.measure(repeats, say).
OWN: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "solved": solved,
    "growth": growth.measure,
    "serve": website,
    "checkpoints": checkpoints.measure,
}
PARTS = (*(w.name for w in WORKLOADS), *SEQUENCES, *OWN, "scaling", "startup", "memory")


def machine() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
    cpu = names[0] if names else platform.processor()
    return {"cpu": cpu, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), **versions()}


def run(parts: list[str], threads: list[int], repeats: int) -> dict[str, Any]:
    """Measures the parts named and returns what ``results/bench.json`` holds: every single time, no medians."""
    found = {"machine": machine(), "commit": commit(), "date": time.strftime("%Y-%m-%d")}
    results: dict[str, Any] = {"parts": dict.fromkeys(parts, found)}
    works = [w for w in WORKLOADS if w.name in parts]
    results["training"] = [row for w in works for count in threads for row in training(w, count, repeats)]
    for name, part in SEQUENCES.items():
        results[name] = (
            [row for count in threads for row in measured(part.measure, count, repeats)] if name in parts else []
        )
    for name, own in OWN.items():
        results[name] = own(repeats, say) if name in parts else []
    results["scaling"] = scaling(WORKLOADS[0], threads[0], repeats) if "scaling" in parts else []
    results["startup"] = startup(repeats) if "startup" in parts else []
    results["memory"] = memory(repeats) if "memory" in parts else []
    return results


def merged(old: dict[str, Any], new: dict[str, Any], parts: list[str]) -> dict[str, Any]:
    """What is kept: the new parts, and the old ones that were not measured again, each with its machine and commit."""
    works = {w.name for w in WORKLOADS}
    kept = [row for row in old.get("training", []) if row["workload"] not in parts]
    results = {**new, "training": kept + new["training"]}
    for part in PARTS:
        if part not in works and part not in parts:
            results[part] = old.get(part, [])
    before = {name: facts for name, facts in old.get("parts", {}).items() if name not in parts}
    return results | {"parts": before | new["parts"]}


def say(line: str) -> None:
    print(line, flush=True)


def main(argv: list[str]) -> int:
    """Measures, prints the tables, and keeps them when asked to. A missed goal is shown, but is not a failure."""
    if argv[:1] == ["scaling"] and any("/" in word for word in argv[1:2]):
        return scaling_over_processes.main(argv[1:])
    parser = OptionParser(prog="dive bench", description="Measure speed side by side.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without names")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="turns of each side; 5")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="1 2")
    parser.add_argument("--write", action="store_true", help="write results/bench.json and BENCH.md")
    options = parser.parse_args(argv)
    for part in options.parts:
        if part not in PARTS:
            raise UserError(f"nothing named {part!r} to measure{did_you_mean(part, PARTS) or ': ' + ', '.join(PARTS)}")
    if min(options.repeats, *options.threads) < 1:
        raise UserError("--repeats and --threads are whole numbers of at least 1")
    if options.write and options.repeats < 5:
        raise UserError("dive bench --write keeps what was measured at least five times: --repeats 5")
    parts = options.parts or list(PARTS)
    results = run(parts, options.threads, options.repeats)
    say("\n" + render(results))
    if options.write:
        path = ROOT / "results" / "bench.json"
        with locked(path.parent):
            results = merged(json.loads(path.read_text()) if path.is_file() else {}, results, parts)
            replace_text(path, json.dumps(results, indent=1) + "\n")
            replace_text(ROOT / "BENCH.md", render(results))
    return 0
