"""States of sequence models: tensors nested in tuples, lists and dicts, every tensor with the batch first.

A state may also be an object with a method ``reorder(index)`` of its own, such as a cache that is written in place.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor


def map_state(function: Callable[[Tensor], Tensor], state: Any) -> Any:
    """The same nest with ``function`` of every tensor; None and numbers stay as they are."""
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, tuple | list):
        return type(state)(map_state(function, part) for part in state)
    if isinstance(state, dict):
        return {name: map_state(function, part) for name, part in state.items()}
    return state


def reorder(state: Any, index: Tensor) -> Any:
    """The rows ``index`` (N,) of every tensor of a state: a beam's survivors, or rows repeated."""
    if hasattr(state, "reorder"):
        return state.reorder(index)
    return map_state(lambda t: t.index_select(0, index), state)


def rows_of(state: Any) -> int:
    """The batch size of a state; 0 where it has no tensor."""
    if isinstance(state, Tensor):
        return len(state)
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, tuple | list) else ()
    return next((rows for part in parts if (rows := rows_of(part))), 0)
