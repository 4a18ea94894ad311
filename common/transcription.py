"""The interface of models that write down what they hear: ``dive transcribe`` and ``dive predict`` use it.

Labels are whole numbers: label n is the n-th character of the datamodule's ``class_names``, counted from 1; 0 is the
blank of connectionist temporal classification, which no transcript has.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable


class Heard(NamedTuple):
    """A label and when it was heard.

    Args:
        label: 1 to K.
        begin, end: Seconds from the beginning of the sound, of the frames that gave the label.
        confidence: The largest probability of the label in these frames.
    """

    label: int
    begin: float
    end: float
    confidence: float


class Transcript(NamedTuple):
    """What was heard in a sound.

    Args:
        heard: The labels in their order.
        confidence: The model's probability of exactly this text.
    """

    heard: tuple[Heard, ...]
    confidence: float

    @property
    def labels(self) -> list[int]:
        return [one.label for one in self.heard]


class Listens(Protocol):
    """A sound that comes in pieces."""

    def hear(self, samples: Any) -> list[Heard]:
        """What the next samples (n,) in [-1, 1], at the model's rate, add to the transcript."""
        ...

    def finish(self) -> list[Heard]:
        """What is still to be heard at the end of the sound."""
        ...


@runtime_checkable
class Transcribes(Protocol):
    """A model that transcribes sounds."""

    #: Samples a second (Hz) of the sounds.
    sample_rate: int

    def transcribe(self, sounds: Any, lengths: Any) -> list[Transcript]:
        """Of sounds (B, T) in [-1, 1] with so many samples (B,)."""
        ...

    def listen(self) -> Listens:
        """Begins a sound that comes in pieces. Raises ``UserError`` for a model that needs the end of a sound first."""
        ...
