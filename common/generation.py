"""The interface of models that generate: texts, translations, pictures, transcripts, actions.

A LightningModule that generates has the method ``generate`` of ``Generates``. ``dive generate`` and the web pages call
it, whatever the class. Its keyword-only parameters are the options of ``dive generate`` for a run of this
model: their names, types, defaults and what the docstring's ``Args:`` say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Output:
    """A piece of generated output.

    Args:
        row: The number of the sample that it belongs to, from 0.
        text: What comes after the text of this row so far; a label or score of its own line ends in a newline.
        image: A finished picture, a ``PIL.Image``.
        name: The file name of a picture, animation or table, without extension.
        frames: The pictures of an animation, ``PIL.Image`` all of one size.
        columns: A table of numbers by heading.
    """

    row: int
    text: str = ""
    image: Any = None
    name: str = ""
    frames: Sequence[Any] = ()
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@runtime_checkable
class Generates(Protocol):
    """A model that generates from prompts, using its datamodule (vocabulary, sizes)."""

    def generate(self, data: Any, prompts: Sequence[str], **options: Any) -> Iterator[Output]:
        """Yields the pieces as they are generated. Raises ``UserError`` for a prompt or an option that cannot be used.

        Args:
            data: The datamodule, with the run's ``processor.json`` loaded.
            prompts: What the user gave, possibly nothing.
            **options: Named keyword-only parameters in an implementation.
        """
        ...
