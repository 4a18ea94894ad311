"""Batches of pairs: trimmed to the longest row, by number of tokens, of languages at a temperature, renewed each epoch.

A batch of fixed rows is padded to its longest, and most of it may be padding. ``TrainingLoader`` with ``by_tokens``
sorts the epoch by length and takes as many rows as fit into a number of tokens: little padding, steps of equal cost.
Aharoni et al. 2019 and Arivazhagan et al. 2019 for the temperature.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from datamodules.base import TensorLoader

ROWS = 4  # a batch by tokens has a multiple of these rows, so that two or four processes divide it equally


class TrimmedLoader(TensorLoader):
    """Trims the padding of a batch to its longest source and target.

    Args:
        tensors, batch_size, shuffle: See ``TensorLoader``.
        pad_id: The padding of the targets.
        **loader: See ``TensorLoader``.
    """

    def __init__(
        self, tensors: Sequence[Tensor], batch_size: int, shuffle: bool = False, pad_id: int = 0, **loader: Any
    ) -> None:
        super().__init__(tensors, batch_size, shuffle, **loader)
        self.pad_id = pad_id

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        for source, length, *targets in super().__iter__():
            longest = int((targets[-1] != self.pad_id).sum(1).max()) if targets else 0
            yield (source[:, : int(length.max())].contiguous(), length, *(t[:, :longest].contiguous() for t in targets))


class TrainingLoader(TrimmedLoader):
    """Training batches. The order is a function of seed and epoch, the same in all processes.

    Args:
        tensors: source (N, S), source_length (N,), target_in and target_out (N, T).
        batch_size: Rows of a process's batch. With ``by_tokens`` a batch has the tokens of so many rows of mean length,
            padding included, and as many rows as fit into them.
        by_tokens: Batches of like lengths. How many rows each has follows from the lengths of ``tensors``, so that each
            epoch has the same number of batches.
        groups: The number of each row's language (N,), for ``temperature``.
        temperature: T: a language with n rows gets a part proportional to n^(1/T) of an epoch. 1 takes all rows; a
            large one gives all languages the same.
        renew: The tensors of an epoch, where they differ from epoch to epoch; the same function of the epoch always.
        **loader: See ``TrimmedLoader``.
    """

    def __init__(
        self,
        tensors: Sequence[Tensor],
        batch_size: int,
        by_tokens: bool = False,
        groups: Tensor | None = None,
        temperature: float = 1.0,
        renew: Callable[[int], tuple[Tensor, ...]] | None = None,
        **loader: Any,
    ) -> None:
        super().__init__(tensors, batch_size, True, **loader)
        self.groups, self.temperature, self.renew = groups, temperature, renew
        self.sizes: list[int] = []  # rows of the batches of all processes, from the longest texts to the shortest
        if by_tokens:
            source, target = self._lengths(self._rows())
            tokens = batch_size * self.world * float((source + target).double().mean())
            self.sizes = batch_sizes(source, target, tokens, ROWS if ROWS % self.world == 0 else self.world, self.world)

    def __len__(self) -> int:
        return len(self.sizes) or super().__len__()

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        if self.renew is not None:
            self.tensors = self.renew(0 if self.one_order else self.epoch)
        yield from super().__iter__()

    def _rows(self) -> Tensor:
        """The rows (N,) of the epoch in a random order; at a temperature some stand there twice, others do not."""
        generator, n = self.generator(), len(self.tensors[0])
        if self.groups is None or self.temperature == 1:
            return torch.randperm(n, generator=generator)
        drawn = []
        for group, wanted in enumerate(quotas(self.groups.bincount(), self.temperature)):
            members = (self.groups == group).nonzero().flatten()
            rounds = -(-wanted // max(1, len(members)))
            orders = [torch.randperm(len(members), generator=generator) for _ in range(rounds)]
            drawn.append(members[torch.cat([*orders, torch.empty(0, dtype=torch.long)])[:wanted]])
        rows = torch.cat(drawn)
        return rows[torch.randperm(n, generator=generator)]

    def _lengths(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens of the sources and of the targets of rows, in the order of their batches, which is not changed."""
        source, target = self.tensors[1][rows].long(), (self.tensors[3][rows] != self.pad_id).sum(1)
        order = by_length(source, target)
        return source[order], target[order]

    def _order(self) -> Tensor:
        rows = self._rows()
        return rows[: len(rows) - len(rows) % self.world][self.rank :: self.world]

    def _batches(self) -> Sequence[Tensor]:
        if not self.sizes:
            return super()._batches()
        rows, generator = self._rows(), self.generator()
        rows = rows[by_length(self.tensors[1][rows].long(), (self.tensors[3][rows] != self.pad_id).sum(1))]
        used = sum(self.sizes)
        if used < len(rows):  # some of the shortest wait for the next epoch
            last = rows[used - self.sizes[-1] :]
            rows = torch.cat([rows[: used - self.sizes[-1]], last[torch.randperm(len(last), generator=generator)]])
        batches = rows[:used].split(self.sizes)
        places = torch.randperm(len(batches), generator=generator).tolist()
        return [batches[i][self.rank :: self.world] for i in places]


def by_length(source: Tensor, target: Tensor) -> Tensor:
    """The order from long to short: by the source's length, and among equal ones by the target's, which goes up and
    down in turn, so that it does not jump from one length of a source to the next. Equal pairs keep their order.
    """
    most = int(target.max()) + 1
    second = torch.where(source % 2 == 0, target, most - target)
    return (source * (most + 1) + second).argsort(descending=True, stable=True)


def batch_sizes(source: Tensor, target: Tensor, tokens: float, multiple: int, world: int) -> list[int]:
    """How many of the sorted rows each batch takes: as many as fit into ``tokens``, padding included.

    Args:
        source, target: Lengths (N,), sorted.
        tokens: Of a batch, source and target together.
        multiple: Each batch but the last has a multiple of these rows.
        world: The last batch has a multiple of these rows; at most ``world - 1`` rows are left over.
    """
    sizes, start, n = [], 0, len(source)
    window = int(tokens) + multiple  # more rows than can fit
    while start < n:
        widest = source[start : start + window].cummax(0).values + target[start : start + window].cummax(0).values
        fitting = int((widest * torch.arange(1, len(widest) + 1) <= tokens).sum())
        size = min(max(fitting // multiple, 1) * multiple, n - start)
        start += size
        sizes.append(size if size % multiple == 0 else size - size % world)
    return [size for size in sizes if size]


def quotas(counts: Tensor, temperature: float) -> list[int]:
    """How many rows each language gets of as many as there are: proportional to counts^(1 / T), rounded."""
    total = int(counts.sum())
    weights = torch.where(counts > 0, counts.double() ** (1 / temperature), 0.0)
    exact = total * weights / weights.sum()
    found = exact.floor().long()
    largest = (exact - found).argsort(descending=True, stable=True)[: total - int(found.sum())]
    found[largest] += 1
    return found.tolist()


def padding(batches: Sequence[tuple[Tensor, ...]]) -> float:
    """The fraction of the tokens of batches, sources and targets together, that is padding."""
    real = sum(int((batch[k] != 0).sum()) for batch in batches for k in (0, 3))
    return 1 - real / sum(batch[k].numel() for batch in batches for k in (0, 3))


def padded(rows: Sequence[Sequence[int]], width: int, pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """Rows of ids as (N, width) int32, padded with ``pad_id``, and their lengths (N,) int32."""
    length = torch.tensor([len(row) for row in rows], dtype=torch.int32)
    table = torch.full((len(rows), width), pad_id, dtype=torch.int32)
    table[torch.arange(width) < length[:, None]] = torch.tensor([i for row in rows for i in row], dtype=torch.int32)
    return table, length
