"""Refuses numbers that no class can use, before anything is built: those that are not numbers, and negative counts."""

import math
from collections.abc import Iterator
from typing import Any

from common.messages import UserError

#: Arguments of models and data that count or measure something: a negative one would be taken for another count.
COUNTS = ("fold", "noise", "num_outputs", "min_count")


def refuse_wrong_numbers(section: Any) -> None:
    """Refuses a NaN anywhere in the parsed model, data and trainer, and a negative count (``COUNTS``).

    Args:
        section: Parsed, with ``model``, ``data`` and ``trainer``.

    Raises:
        UserError: Names the key.
    """
    for part in ("model", "data", "trainer"):
        for key, value in numbers_of(section.get(part), part):
            if math.isnan(value):
                raise UserError(f"{key} is {value}: give a number")
            if key.rpartition(".")[2] in COUNTS and value < 0:
                raise UserError(f"{key} is {value}: give a number of at least 0")


def numbers_of(value: Any, key: str) -> Iterator[tuple[str, float]]:
    """The numbers of a parsed value and their keys, ``init_args`` left out."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield key.replace(".init_args", ""), value
    elif isinstance(value, list | tuple):
        for n, item in enumerate(value):
            yield from numbers_of(item, f"{key}[{n}]")
    elif hasattr(value, "items") or hasattr(value, "__dict__"):
        for name, item in (value if hasattr(value, "items") else vars(value)).items():
            yield from numbers_of(item, f"{key}.{name}")
