"""States of sequence models: tensors nested in tuples, lists and dicts, every tensor with the batch first.

A state may also be an object with a method ``reorder(index)`` of its own, such as a cache that is changed in place.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from common.messages import UserError


def map_state(function: Callable[[Tensor], Tensor], state: Any) -> Any:
    """The same structure with ``function`` applied to every tensor; None and numbers are unchanged."""
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, tuple | list):
        return type(state)(map_state(function, part) for part in state)
    if isinstance(state, dict):
        return {name: map_state(function, part) for name, part in state.items()}
    return state


def reorder(state: Any, index: Tensor, beams: bool = False) -> Any:
    """The rows ``index`` (N,) of every tensor of a state: the beams that are kept, or repeated rows.

    Args:
        state: Tensors, or objects with a method ``reorder(index)``.
        index: Which rows.
        beams: Each row is replaced by one of the same source: what an object keeps of the source is the same in both
            and may stay (``reorder_beams(index)``, if it has that method).
    """
    if beams and hasattr(state, "reorder_beams"):
        return state.reorder_beams(index)
    if hasattr(state, "reorder"):
        return state.reorder(index)
    if isinstance(state, tuple | list):
        return type(state)(reorder(part, index, beams) for part in state)
    return map_state(lambda t: t.index_select(0, index), state)


def rows_of(state: Any) -> int:
    """The batch size of a state; 0 if it does not have a tensor."""
    if isinstance(state, Tensor):
        return len(state)
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, tuple | list) else ()
    return next((rows for part in parts if (rows := rows_of(part))), 0)


def refuse_no_state(net: nn.Module) -> None:
    """Refuses a network that has no state to carry from batch to batch.

    Raises:
        UserError: It has no ``decode``, or its state is not made of nested tensors (a transformer's cache).
    """
    state = None
    if hasattr(net, "decode"):
        was, place = net.training, next(net.parameters()).device
        with torch.no_grad():
            state = net.eval().decode(torch.zeros(1, 1, dtype=torch.long, device=place), None)[1]  # type: ignore[operator]
        net.train(was)
    if not rows_of(state):
        raise UserError(
            f"model.carry_state needs a recurrent network: {type(net).__name__} has no state that one batch could hand "
            "to the next. Give --model.carry_state false"
        )
