"""Which rows are for training, validation and test: random, stratified by class, fixed by a seed of their own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from common.messages import UserError


def split_indices(y: Tensor, sizes: Sequence[int], seed: int = 0, stratify: bool = True) -> tuple[Tensor, ...]:
    """Disjoint random row numbers for splits of the given sizes, with the classes in the same proportions in each.

    Args:
        y: Labels (N,), or anything of length N where ``stratify`` is False.
        sizes: Rows of each split; the first split takes what is left when its size is 0.
        seed: The split is fixed by it and does not depend on the global seed.
    """
    from sklearn.model_selection import train_test_split

    rest, parts = torch.arange(len(y)), []
    for size in reversed(list(sizes)[1:]):
        keep, part = train_test_split(
            rest.numpy(), test_size=size, random_state=seed, stratify=y[rest].numpy() if stratify else None
        )
        rest = torch.from_numpy(keep)
        parts.append(torch.from_numpy(part))
    first = rest[: sizes[0]] if sizes[0] else rest
    return (first, *reversed(parts))


def refuse_fractions(val_fraction: float, test_fraction: float) -> None:
    """Refuses negative and NaN fractions, and those that leave nothing to train on (``UserError``)."""
    if not (min(val_fraction, test_fraction) >= 0 and val_fraction + test_fraction < 1):
        raise UserError(
            f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave nothing to train on"
        )


def split_fractions(
    y: Tensor, val_fraction: float, test_fraction: float, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Sorted row numbers of train, val and test: fractions of every class, at least one row if a fraction is not 0.

    For a user's own data, where a class may have three rows. The caller refuses classes with fewer rows than splits.

    Args:
        y: Labels (N,); all zeros for rows without classes.
        val_fraction, test_fraction: Between 0 and 1.
        seed: The split is fixed by it and does not depend on the global seed.

    Raises:
        UserError: A fraction is negative or NaN, or nothing is left to train on.
    """
    refuse_fractions(val_fraction, test_fraction)
    generator = torch.Generator().manual_seed(seed)
    number = torch.zeros(len(y), dtype=torch.int8)  # of each row's split: a byte, where a sorted list takes 16
    for label in y.unique():
        rows = (y == label).nonzero().flatten()
        count = len(rows)
        order = torch.randperm(count, generator=generator)
        val, test = (max(1, round(part * count)) if part else 0 for part in (val_fraction, test_fraction))
        while val + test >= count and max(val, test) > 1:  # rounding may take all of a small class
            val, test = (val - 1, test) if val >= test else (val, test - 1)
        number[rows[order[count - val - test : count - test]]] = 1
        number[rows[order[count - test :]]] = 2
        del rows, order
    train, held, tested = ((number == part).nonzero().flatten() for part in range(3))
    return train, held, tested


def split_texts(
    texts: Sequence[str], y: Tensor, val_fraction: float, test_fraction: float
) -> tuple[tuple[Tensor, ...], list[str]]:
    """As ``split_fractions``, with all rows of a text in the split of its first one; and what is to be said of them.

    Without repeated texts the split is that of ``split_fractions``. So it is where a class has fewer different texts
    than there are splits, in one of which it would be missing.

    Args:
        texts: N texts; two are the same if all their characters are.
        y: Labels (N,); all zeros for rows without classes.
        val_fraction, test_fraction: As of ``split_fractions``.
    """
    first: dict[str, int] = {}  # row of each different text
    for row, text in enumerate(texts):
        first.setdefault(text, row)
    rows, repeats = torch.tensor(list(first.values())), len(texts) - len(first)
    needed = 1 + (val_fraction > 0) + (test_fraction > 0)
    if not repeats or any(int((y[rows] == label).sum()) < needed for label in y.unique()):
        said = f"{repeats:,} rows repeat a text, some in another split: a class has fewer than {needed} different ones"
        return split_fractions(y, val_fraction, test_fraction), [said] if repeats else []
    number = torch.zeros(len(y), dtype=torch.int8)
    for split, part in enumerate(split_fractions(y[rows], val_fraction, test_fraction)):
        number[rows[part]] = split
    number = number[torch.tensor([first[text] for text in texts])]
    said = f"{repeats:,} rows repeat a text and are in the split of its first row"
    return tuple((number == split).nonzero().flatten() for split in range(3)), [said]
