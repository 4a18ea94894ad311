"""Who rated what, how, and when: the table behind every datamodule of ratings, and the histories of its users.

Users and items are numbered from 0; their names and the items' titles are kept beside.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from common.messages import UserError


@dataclass(frozen=True)
class Interactions:
    """Ratings as columns (N,).

    Args:
        user, item: Numbers, int64.
        rating: On any scale, float32.
        time: Seconds, or any number that grows with time, int64.
        users, items: The name of each number.
        titles: What an item is called for a person; the names where there are no titles.
        rows: The row of the file that each was, from 1, for messages; None where all of them are here in their order.
    """

    user: Tensor
    item: Tensor
    rating: Tensor
    time: Tensor
    users: list[str]
    items: list[str]
    titles: list[str] = field(default_factory=list)
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: Tensor) -> "Interactions":
        """The same users and items with some of the ratings."""
        columns = {name: getattr(self, name) for name in ("user", "item", "rating", "time", "rows")}
        return replace(self, **{name: column[rows] for name, column in columns.items() if column is not None})


def without_duplicates(table: Interactions) -> tuple[Interactions, int]:
    """One rating of each pair of user and item, the newest (of equal times the last), and how many were left out."""
    pair = table.user * max(1, len(table.items)) + table.item
    order = np.lexsort((np.arange(len(table)), table.time.numpy(), pair.numpy()))
    sorted_pairs = pair.numpy()[order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = sorted_pairs[1:] != sorted_pairs[:-1]
    rows = torch.from_numpy(np.sort(order[last]))
    return table.take(rows), len(table) - len(rows)


def leave_one_out(user: Tensor, time: Tensor) -> Tensor:
    """The part (N,) of each interaction: 2 (test) for a user's last one, 1 (validation) for the one before, else 0.

    Equal times stay in the order of the rows. A user with fewer than three interactions is in training only.
    """
    place, size = places(user, time)
    part = torch.zeros(len(user), dtype=torch.int64)
    part[(place == size - 1) & (size >= 3)] = 2
    part[(place == size - 2) & (size >= 3)] = 1
    return part


def at_random(count: int, val_fraction: float, test_fraction: float, seed: int = 0) -> Tensor:
    """The part (N,) of each interaction, drawn: 0 training, 1 validation, 2 test, whatever the times."""
    draw = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    part = torch.zeros(count, dtype=torch.int64)
    part[draw < round(test_fraction * count)] = 2
    val = round(val_fraction * count)
    part[(part == 0) & (draw < round(test_fraction * count) + val)] = 1
    return part


def places(user: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """The place (N,) of each interaction in its user's history by time, from 0, and the history's length (N,)."""
    order = torch.from_numpy(np.lexsort((np.arange(len(user)), time.numpy(), user.numpy())))
    counts = user.bincount(minlength=1)
    first = counts.cumsum(0) - counts
    place = torch.empty_like(user)
    place[order] = torch.arange(len(user)) - first[user[order]]
    return place, counts[user]


class Histories:
    """The items of each user, first those of training by time, then those of validation, then of test.

    A history is a slice of one tensor, so that what a model may know at each stage is a start and an end.

    Args:
        table: The interactions.
        part: The part (N,) of each: 0, 1 or 2.
    """

    def __init__(self, table: Interactions, part: Tensor) -> None:
        users = len(table.users)
        keys = (np.arange(len(table)), table.time.numpy(), part.numpy(), table.user.numpy())
        order = torch.from_numpy(np.lexsort(keys))
        self.items = table.item[order].int()  # (N,)
        self.times = table.time[order]
        counts = torch.stack([table.user[part == k].bincount(minlength=users) for k in range(3)])  # (3, U)
        total = counts.sum(0)
        self.start = total.cumsum(0) - total  # (U,)
        self.ends = self.start + counts.cumsum(0)  # (3, U): after training, validation, test

    def slices(self, users: Tensor, known: int) -> Tensor:
        """``user, start, end`` (B, 3) int32 of histories up to a part: 0 training, 1 with validation, 2 all."""
        return torch.stack([users, self.start[users], self.ends[known][users]], 1).int()

    def targets(self, users: Tensor, part: int, padding: int) -> Tensor:
        """The items (B, K) of a part, 1 or 2, behind them ``padding``."""
        start, end = self.ends[part - 1][users], self.ends[part][users]
        return padded(self.items, start, end, padding, front=False)


def padded(items: Tensor, start: Tensor, end: Tensor, padding: int, front: bool = True) -> Tensor:
    """The slices (B, L) of a tensor, L the longest, with ``padding`` in front of shorter ones, or behind them."""
    length = end - start
    width = int(length.max()) if len(length) else 0
    steps = torch.arange(width, device=items.device)
    place = (end[:, None] - width + steps) if front else (start[:, None] + steps)
    inside = (place >= start[:, None]) & (place < end[:, None])
    if not len(items):
        return torch.full((len(start), width), padding, dtype=items.dtype)
    return items[place.clamp(0, len(items) - 1)].masked_fill(~inside, padding)


def number_names(names: list[str], known: list[str]) -> Tensor:
    """The number of each name in a list of known ones, -1 for others."""
    place = {name: k for k, name in enumerate(known)}
    return torch.tensor([place.get(name, -1) for name in names], dtype=torch.int64)


def check_scale(rating: Tensor, low: float, high: float, where: str, rows: Tensor | None = None) -> None:
    """Refuses ratings (N,) outside of the scale (``UserError``); ``rows`` (N,) as of ``Interactions``."""
    outside = (rating < low) | (rating > high)
    if bool(outside.any()):
        first = int(outside.nonzero()[0])
        row = first + 1 if rows is None else int(rows[first])
        raise UserError(
            f"{where}: {int(outside.sum()):,} ratings are outside of {low:g} to {high:g}, the first is "
            f"{float(rating[first]):g} in row {row}: correct them, or give --data.min_rating and "
            "--data.max_rating"
        )
