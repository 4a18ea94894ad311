"""Presets that add to a list (``regularizers+:``, ``callbacks+:``), over the config of a run that has them already.

A run's ``config.yaml`` has all that it was begun with. Who resumes it with the same words means the same run, not one
with each regularizer twice.
"""

from collections.abc import Iterator
from typing import Any


def is_there(preset: dict[str, Any], run: dict[str, Any]) -> bool:
    """Whether a preset adds to lists, and the run's lists have every class that it adds, whatever their numbers."""
    added = list(additions(preset))
    return bool(added) and all(
        entry.get("class_path") in [own.get("class_path") for own in at(run, place) if isinstance(own, dict)]
        for place, entries in added
        for entry in entries
    )


def additions(content: dict[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """The lists under keys that end with ``+``, each with its place in the config."""
    for key, value in content.items():
        if str(key).endswith("+") and isinstance(value, list):
            yield (*place, key[:-1]), value
        elif isinstance(value, dict):
            yield from additions(value, (*place, key))


def at(content: Any, place: tuple[str, ...]) -> list[Any]:
    """The list at a place; empty where there is none."""
    for key in place:
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, list) else []
