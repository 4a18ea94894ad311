"""A command that copies of a model share.

The optimizer of a model that jsonargparse has built refers to the command, and so to the trainer and, with
``-c trainer/ddp``, to the handles of the other processes, which cannot be copied. Averages of weights copy the model.
"""

from typing import Any, Self


class Uncopied:
    """What a deep copy takes as it is."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
