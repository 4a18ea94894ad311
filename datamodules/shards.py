"""Data larger than memory: rows in memory-mapped files, read file by file, each process its own rows.

A *shard* is one NumPy file for each tensor of a batch (``x-00000.npy``, ``y-00000.npy``) with some thousand rows; its
pages are read from the disk as they are used. An epoch visits the shards in a random order and the rows of each in a
random order of its own: reading stays local, and no more than one shard is in memory. The order is weaker than one over
all rows; shards should therefore be written in a random order.

::

    write_shards(folder, (images, labels), rows=4096)
    loader = ShardLoader(folder, batch_size=64, shuffle=True, rank=0, world=2)

The loader has the interface of ``datamodules/base.py``'s: seeded, divided among processes in equal batches, resumable
within an epoch.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from common.messages import UserError

POPULATE_READ = 22  # MADV_POPULATE_READ, which the module mmap does not name


def write_shards(folder: Path, tensors: Sequence[Tensor], rows: int = 4096) -> int:
    """Writes tensors (N, ...) as shards of ``rows`` rows; returns the number of shards. Present files are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(tensors[0]), rows)
    for number, start in enumerate(starts):
        for k, tensor in enumerate(tensors):
            np.save(folder / f"{k}-{number:05}.npy", tensor[start : start + rows].numpy())
    return len(starts)


class ShardLoader:
    """Batches of tensors from shards. Resident memory is that of one shard and one batch.

    Args:
        folder: Of ``write_shards``.
        batch_size: Rows in one process's batch. The last batch may be smaller.
        shuffle: A new order each epoch, the same in all processes, for training; an epoch then leaves out at most
            ``world - 1`` rows, so that all processes have as many.
        seed: Seed of the order.
        rank, world: Number of this process, and the number of processes.

    Raises:
        UserError: There are no shards, or one of them is missing or has other rows than its neighbor.
    """

    def __init__(
        self, folder: Path, batch_size: int, shuffle: bool = False, seed: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        self.files = shards_in(folder)
        self.rows = [len(np.load(files[0], mmap_mode="r")) for files in self.files]
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        self.rank, self.world = rank, world
        self.epoch = 0
        self.batch = 0  # batches of this epoch that were handed out

    @property
    def sampler(self) -> "ShardLoader":
        """The loader itself: Lightning calls ``loader.sampler.set_epoch`` and looks for both names."""
        return self

    batch_sampler = sampler

    @property
    def own_rows(self) -> int:
        """This process's rows of an epoch."""
        n = sum(self.rows)
        return n // self.world if self.shuffle else len(range(self.rank, n, self.world))

    def __len__(self) -> int:
        return -(-self.own_rows // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch; the epoch decides the order."""
        if epoch != self.epoch:
            self.epoch, self.batch = epoch, 0

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        start = self.batch if self.shuffle and self.batch < len(self) else 0
        skip, left = start * self.batch_size, self.own_rows
        waiting: list[list[Tensor]] = []  # rows that do not fill a batch yet, by shard
        held = 0
        for files, order in self._visits():
            order = order[:left]
            left -= len(order)
            order, skip = order[skip:], max(0, skip - len(order))
            maps = [mapped(file) for file in files] if len(order) else []
            while len(order):
                take = order[: self.batch_size - held]
                order = order[len(take) :]
                waiting.append([m.index_select(0, take) for m in maps])  # a copy of these rows
                held += len(take)
                if held == self.batch_size:
                    start = self.batch = start + 1
                    yield tuple(
                        torch.cat(parts) if len(parts) > 1 else parts[0] for parts in zip(*waiting, strict=True)
                    )
                    waiting, held = [], 0
            del maps  # unmapped: its pages leave this process's memory
        if waiting:
            self.batch = start + 1
            yield tuple(torch.cat(parts) for parts in zip(*waiting, strict=True))

    def _visits(self) -> Iterator[tuple[list[Path], Tensor]]:
        """The shards in the order of the epoch, with the rows that this process takes of each."""
        random = torch.Generator().manual_seed((self.seed << 20) + self.epoch)
        count, before = len(self.files), 0
        for k in torch.randperm(count, generator=random).tolist() if self.shuffle else range(count):
            rows = self.rows[k]
            order = torch.randperm(rows, generator=random) if self.shuffle else torch.arange(rows)
            yield self.files[k], order[(self.rank - before) % self.world :: self.world]
            before += rows

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.epoch, "batch": self.batch, "batches": len(self), "rows": sum(self.rows)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continues at the saved position.

        Raises:
            UserError: The shards have other rows, or an epoch has another number of batches.
        """
        if (state["batches"], state["rows"]) != (len(self), sum(self.rows)):
            raise UserError(
                f"the checkpoint is from within an epoch of {state['rows']} rows in {state['batches']} batches, now it "
                f"has {sum(self.rows)} rows in {len(self)}: continue with the shards and the batch size of that run"
            )
        self.epoch, self.batch = state["epoch"], state["batch"]


def mapped(file: Path) -> Tensor:
    """A file's rows. What is written to the tensor does not reach the file.

    Linux maps all pages in one call, read in the order of the file; elsewhere a page is read when it is used first.
    """
    rows = np.load(file, mmap_mode="c")
    if sys.platform == "linux" and rows.size:
        with suppress(OSError):  # a kernel before 5.14
            rows.base.madvise(POPULATE_READ)
    return torch.from_numpy(rows)


def shards_in(folder: Path) -> list[list[Path]]:
    """The files of each shard, by number; those of the tensors of a batch in their order.

    Raises:
        UserError: As ``ShardLoader``.
    """
    names: dict[int, set[int]] = {}
    for path in sorted(folder.glob("*-*.npy")):
        tensor, _, number = path.stem.partition("-")
        if tensor.isdigit() and number.isdigit():
            names.setdefault(int(number), set()).add(int(tensor))
    if not names:
        raise UserError(f"{folder} has no shards: write them with datamodules.shards.write_shards")
    tensors = set().union(*names.values())
    found = []
    for shard in range(max(names) + 1):
        files = [folder / f"{k}-{shard:05}.npy" for k in sorted(tensors)]
        if missing := [path.name for path in files if not path.is_file()]:
            raise UserError(f"{folder} has no {missing[0]}: a shard is missing or was not copied whole")
        if len(lengths := {len(np.load(path, mmap_mode="r")) for path in files}) > 1:
            raise UserError(f"shard {shard:05} of {folder} has {' and '.join(map(str, sorted(lengths)))} rows")
        found.append(files)
    return found
