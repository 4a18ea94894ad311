"""What a person is told while own files are read, and after: a sign of progress, and one line of what was read.

The line has files, rows of each split, classes, and whatever a datamodule adds to its ``facts``: sizes, lengths, what
was cut, left out, unknown or taken for what.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

from common.messages import is_first_process, note

T = TypeVar("T")
MOST_NAMES = 5  # classes, files or columns that a line names
WAIT = 1.0  # seconds without a word; what takes less shows nothing
PAUSE = 10.0  # seconds between two lines where there is no terminal


def read_line(path: str, rows: Mapping[str, int], items: str, classes: Mapping[str, int], facts: Sequence[str]) -> str:
    """``photos: train 28, val 6, test 6 images; 2 classes (ant 20, bee 20); 3 files left out ...``.

    Args:
        path: The file or folder.
        rows: The number of rows by split.
        items: What a row is, in the plural.
        classes: The number of rows by class, in all of these splits; empty where there are no classes.
        facts: What else is to be said.
    """
    counts = ", ".join(f"{split} {number:,}" for split, number in rows.items())
    parts = [f"{counts} {items}"]
    if classes:
        counted = [f"{name} {number:,}" for name, number in classes.items()]
        parts.append(f"{len(classes)} classes ({some(counted)})")
    return f"read {path}: " + "; ".join([*parts, *facts])


def some(names: Iterable[object], most: int = MOST_NAMES) -> str:
    """``a, b, c and 7 others``: the first names of many."""
    texts = list(map(str, names))
    if len(texts) <= most:
        return ", ".join(texts)
    rest = len(texts) - most
    return f"{', '.join(texts[:most])} and {rest:,} other{'s' if rest > 1 else ''}"


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """The items, with a bar on a terminal, and a line every ten seconds elsewhere; nothing in the first second.

    Args:
        items: Anything to go through.
        what: What is done, such as ``reading photos``.
        total: The number of items, where ``len`` does not know it.
    """
    if total is None and isinstance(items, Sequence):
        total = len(items)
    if not is_first_process():
        yield from items
    elif sys.stderr.isatty():
        yield from tqdm(items, what, total, leave=False, delay=WAIT, file=sys.stderr)
    else:
        last = time.monotonic() - PAUSE + WAIT  # the first line after a second
        for done, item in enumerate(items):
            yield item
            if time.monotonic() - last >= PAUSE:
                last = time.monotonic()
                note(f"{what}: {done + 1:,} of {total:,}" if total else f"{what}: {done + 1:,}")


def say_few_steps(trainer: Any, batches: int, least: int, batch_size: int) -> None:
    """Says that a run ends before it has learned something, and how long it should be.

    Args:
        trainer: Knows how many epochs and steps there are to be.
        batches: Of an epoch.
        least: Optimizer steps that a network needs.
        batch_size: Rows of a batch.
    """
    epochs, steps = trainer.max_epochs, trainer.max_steps
    an_epoch = max(1, -(-batches // trainer.accumulate_grad_batches))
    planned = an_epoch * epochs if epochs and epochs > 0 else least
    planned = min(planned, steps) if steps > 0 else planned
    if planned < least and not getattr(trainer, "fast_dev_run", False):
        note(
            f"the run has {planned} optimizer steps in all, which barely trains a network: give it "
            f"--trainer.max_epochs {-(-least // an_epoch)}, or a smaller --data.batch_size than {batch_size}"
        )
