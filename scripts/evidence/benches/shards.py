"""Data larger than memory: an epoch from memory-mapped shards against the same rows in memory.

Two gigabytes of pictures, 3 x 128 x 128 bytes each, in shards of 2,048 rows (100 MB), in random order in batches of 64.
`ours` reads files that the system still has in memory (a warm pass), `cold` the same after the system was asked to
forget them, where it can be asked; a virtual machine's host may not forget. `in memory` is the loader of all other
datamodules. Nothing is computed with the rows: with a network the difference is smaller.
"""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from datamodules.base import TensorLoader
from datamodules.shards import ShardLoader, write_shards
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns

PART = Part(
    "Data larger than memory",
    """\
Two gigabytes of pictures in batches of 64, nothing computed: `ours` from memory-mapped shards that the system still has
in memory, `cold` after it was asked to forget them, `in memory` by the loader of all other datamodules.""",
    "samples",
    (Goal("data larger than memory", "in memory", 0.9, None, "a warm pass: files that the system keeps in memory"),),
)
ROWS, SHARD, BATCH = 40_960, 2048, 64
SHAPE = (3, 128, 128)


def forget(folder: Path) -> None:
    """Asks the system to drop the files of a folder from memory."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def epoch(loader: Any, clock: Clock) -> None:
    """Reads until the clock has its batches."""
    while not clock.done:
        for _, y in loader:
            clock.tick(len(y))
            if clock.done:
                return


def measure(threads: int, repeats: int, say: Callable[[str], None], rows: int = ROWS) -> list[dict[str, Any]]:
    """Rows a second of each side in each turn; a turn is an epoch."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (rows, *SHAPE), dtype=torch.uint8, generator=generator)
    tensors = (images, torch.arange(rows))
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_shards(folder, tensors, rows=SHARD)
        os.sync()  # pages that are not on the disk yet cannot be forgotten

        def cold(clock: Clock) -> None:
            forget(folder)
            epoch(ShardLoader(folder, BATCH, shuffle=True), clock)

        sides: dict[str, Callable[[Clock], None]] = {
            "in memory": lambda clock: epoch(TensorLoader(tensors, BATCH, shuffle=True), clock),
            "cold": cold,
            "ours": lambda clock: epoch(ShardLoader(folder, BATCH, shuffle=True), clock),  # after cold: all is warm
        }
        batches = -(-rows // BATCH)
        return take_turns("data larger than memory", threads, sides, repeats, batches - 2, 2, say)
