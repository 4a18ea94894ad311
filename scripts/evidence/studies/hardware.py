"""What this machine's parts take, beside the table of D2L 13.4: caches, memory, disk, messages, arithmetic.

The latency of caches and memory is that of reads of which each needs the one before (a chase along a random cycle of
cache lines, a loop in C: the one place where Python would be measured instead of the machine). Bandwidth is that of
copying a tensor, read and written bytes together. A cold read of the disk is one after the system was asked to forget
the file; a virtual machine's host may still have it in memory. The book's numbers are of other machines: the table
shows orders of magnitude, not who is faster.
"""

import ctypes
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from scripts.evidence.benches import scaling
from scripts.evidence.studies.work import Row, Setting, seconds

CHASE = """
#include <stddef.h>
#include <stdint.h>
uint32_t chase(const uint32_t *next, uint32_t at, size_t steps) { while (steps--) at = next[at]; return at; }
"""
KB, MB, LINE = 2**10, 2**20, 16  # a cache line of 64 bytes has 16 numbers
#: What the book's table calls it, the bytes within which reads jump, the book's seconds.
LEVELS = (
    ("first cache (within 16 KB)", 16 * KB, 1.5e-9),
    ("second cache (within 256 KB)", 256 * KB, 5e-9),
    ("third cache (within 4 MB)", 4 * MB, 16e-9),
    ("memory (within 64 MB)", 64 * MB, 46e-9),
    ("memory (within 256 MB)", 256 * MB, 75e-9),
)
BOOK = {"disk 1 MB": 208e-6, "disk 4 KB": 120e-6, "message 4 KB": 10e-6, "gpu 1 MB": 80e-6}


def compiled_chase(folder: Path) -> ctypes.CDLL | None:
    """The loop as a library; None where no C compiler is."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        return None
    source, library = folder / "chase.c", folder / "chase.so"
    source.write_text(CHASE)
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", source, "-o", library], check=True, capture_output=True)
    loaded = ctypes.CDLL(str(library))
    loaded.chase.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_size_t]
    loaded.chase.restype = ctypes.c_uint32
    return loaded


def cycle(size: int) -> np.ndarray:
    """Numbers (size / 4,) of which each at the start of a cache line is the place of another: one random cycle."""
    places = np.random.default_rng(0).permutation(size // (4 * LINE)).astype(np.uint32) * LINE
    following = np.zeros(size // 4, np.uint32)
    following[places] = np.roll(places, 1)
    return following


def latencies(setting: Setting) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        library = compiled_chase(Path(folder))
        if library is None:
            setting.say("no C compiler (cc, gcc, clang): the latency of caches and memory is left out")
            return rows
        for what, size, book in LEVELS[: 3 if setting.small else None]:
            following = cycle(size)
            steps = max(size // (4 * LINE), 200_000 if setting.small else 2_000_000)
            times = []
            for _ in range(4):
                begin = time.perf_counter()
                library.chase(following.ctypes.data, 0, steps)
                times.append((time.perf_counter() - begin) / steps)
            rows.append({"kind": "item", "what": what, "bytes": size, "here": median(times[1:]), "book": book})
    return rows


def bandwidth(threads: int, size: int, device: str = "cpu") -> float:
    """Bytes a second, read and written, of copying a tensor of ``size`` bytes."""
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)
    return 2 * size / seconds(lambda: target.copy_(source), threads)


def arithmetic(threads: int, dtype: torch.dtype, side: int, device: str = "cpu") -> float:
    """Floating-point operations a second of a product of square matrices: 2 n^3 in each."""
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    return 2 * side**3 / seconds(lambda: torch.mm(a, b, out=out), threads)


def copies_and_products(setting: Setting) -> list[Row]:
    sizes = [32 * KB, 256 * KB, 2 * MB, 16 * MB] + ([] if setting.small else [256 * MB])
    rows: list[Row] = [
        {"kind": "copy", "where": "CPU", "threads": setting.threads, "bytes": size}
        | {"rate": bandwidth(setting.threads, size)}
        for size in sizes
    ]
    counts = sorted({setting.threads, os.cpu_count() or 1})
    places = [("CPU", "cpu", count) for count in counts] + ([("GPU", "cuda", 1)] if torch.cuda.is_available() else [])
    if torch.cuda.is_available():
        facts = {"kind": "copy", "where": "GPU", "threads": 1, "bytes": 256 * MB}
        rows.append(facts | {"rate": bandwidth(1, 256 * MB, "cuda")})
    for where, device, count in places:
        side = 256 if setting.small else 2048 if device == "cpu" else 8192
        for dtype in (torch.float32, torch.bfloat16):
            product = {"kind": "product", "where": where, "threads": count, "type": str(dtype)[6:], "side": side}
            rows.append(product | {"rate": arithmetic(count, dtype, side, device)})
    return rows


def forget(descriptor: int) -> None:
    """Asks the system to drop a file's pages from memory, where it can be asked."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def disk(setting: Setting) -> list[Row]:
    """Reads of a file of random bytes in the folder for temporary files."""
    count = 8 if setting.small else 256
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(count):
            file.write(random.randbytes(MB))
        file.flush()
        os.fsync(file.fileno())

        def reads(places: list[int], size: int, cold: bool) -> float:
            if cold:
                forget(file.fileno())
            times = []
            for place in places:
                begin = time.perf_counter()
                os.pread(file.fileno(), size, place)
                times.append(time.perf_counter() - begin)
            return median(times)

        in_order = [k * MB for k in range(count)]
        anywhere = random.Random(0).sample(range(0, count * MB, 4 * KB), min(500, count * 16))
        found = {
            "1 MB of the disk, in order": (reads(in_order, MB, True), BOOK["disk 1 MB"]),
            "4 KB of the disk, anywhere": (reads(anywhere, 4 * KB, True), BOOK["disk 4 KB"]),
            "1 MB of a file that is in memory": (reads(in_order, MB, False), None),
        }
    return [{"kind": "item", "what": what, "here": here, "book": book} for what, (here, book) in found.items()]


def messages() -> list[Row]:
    """Between two processes of this machine through gloo, by the fit that `dive bench scaling` uses."""
    network, found = scaling.measure_network()
    four = found["message"][scaling.SIZES.index(4 * KB)]
    return [
        {"kind": "item", "what": "4 KB to another process", "here": four, "book": BOOK["message 4 KB"]},
        {"kind": "network", "latency": network.latency, "rate": network.bandwidth},
    ]


def starts(setting: Setting) -> list[Row]:
    """A process from the command to its end."""

    def started(code: str) -> float:
        times = []
        for _ in range(1 if setting.small else 5):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - begin)
        return median(times)

    codes = {"start of Python": "pass", "start of Python with torch": "import torch"}
    return [
        {"kind": "item", "what": what, "here": started(code), "book": None}
        for what, code in codes.items()
        if code == "pass" or not setting.small
    ]


def to_the_gpu() -> list[Row]:
    book = BOOK["gpu 1 MB"]
    if not torch.cuda.is_available():
        return [{"kind": "item", "what": "1 MB to a GPU", "here": None, "book": book}]
    source, target = torch.ones(MB // 4).pin_memory(), torch.empty(MB // 4, device="cuda")
    here = seconds(lambda: target.copy_(source, non_blocking=True), 1)
    return [{"kind": "item", "what": "1 MB to a GPU", "here": here, "book": book}]


def measure(setting: Setting) -> list[Row]:
    """The table's rows: times (``item``), bandwidths (``copy``), arithmetic (``product``), and the ``network``."""
    rows = [*latencies(setting), *copies_and_products(setting), *disk(setting)]
    setting.say("caches, memory, arithmetic and disk are measured; now messages and starts")
    return [*rows, *to_the_gpu(), *messages(), *starts(setting)]
