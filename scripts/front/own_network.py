"""The user's own network, ``--model.net mine.MyNet``: the data's sizes go to its arguments of the same names."""

import inspect
from collections.abc import Iterable
from typing import Any


def sizes_for(network: Any, given: dict[str, Any], sizes: dict[str, Any], names: Iterable[str]) -> list[str]:
    """The words that set those arguments of ``network`` in ``names`` that the user did not give.

    Args:
        network: The class.
        given: Its arguments so far.
        sizes: The datamodule's arguments.
        names: Arguments that models take from the data.
    """
    wanted = inspect.signature(network.__init__).parameters
    return [
        f"--model.init_args.net.init_args.{name}={sizes[name]}"
        for name in names
        if name in wanted and sizes.get(name) and given.get(name) in (None, wanted[name].default)
    ]
