"""The base of sounds with a transcript: int16 storage, characters as labels, sounds of any length padded with silence.

A batch is ``(sounds (B, T), lengths (B,), targets (B, S))``: samples in [-1, 1], the number of samples of each sound,
and labels 1 to ``num_classes``, which are the characters of ``class_names``, padded with 0. A batch is cut to its
longest sound.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from common.messages import UserError, did_you_mean
from datamodules.base import TensorDataModule


class Transcribed(TensorDataModule):
    """A subclass supplies ``load`` and ``class_names``.

    Args:
        num_classes, sample_rate: Linked to the model's arguments of the same name: characters, and Hz.
        gain: Training sounds get louder or softer at random, by up to this many decibels.
        noise: Training sounds get Gaussian noise of a standard deviation between 0 and this.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_classes", "sample_rate")
    items = "sounds"

    def __init__(
        self, num_classes: int, sample_rate: int, gain: float = 0.0, noise: float = 0.0, **loader: int
    ) -> None:
        super().__init__(**loader)
        for name, value in (("num_classes", num_classes), ("sample_rate", sample_rate)):
            if value < 1:
                raise UserError(f"data.{name} is {value}: give a whole number of at least 1")
        for name, number in (("gain", gain), ("noise", noise)):
            if number < 0:
                raise UserError(f"data.{name} is {number}: give at least 0")
        self.num_classes, self.sample_rate, self.gain, self.noise = num_classes, sample_rate, gain, noise
        self.utterance_names: dict[str, list[str]] = {}  # of the rows of each split
        self.subsets: dict[str, dict[str, list[bool]]] = {}

    @property
    def input_means(self) -> str:  # type: ignore[override]
        return f"sounds at {self.sample_rate} Hz, numbers in [-1, 1] padded with zeros, and their numbers of samples"

    def processor(self) -> dict[str, Any]:
        return {**super().processor(), "sample_rate": self.sample_rate}

    # -- texts --------------------------------------------------------------------------------------------------------

    def encode(self, text: str) -> list[int]:
        """The labels of a text.

        Raises:
            UserError: It has a character that is not in ``class_names``.
        """
        assert self.class_names is not None
        number = {name: n for n, name in enumerate(self.class_names, 1)}
        for character in text:
            if character not in number:
                known = "".join(self.class_names)
                raise UserError(
                    f"{character!r} in {text!r} is none of the characters {known!r}{did_you_mean(character, number)}"
                )
        return [number[character] for character in text]

    def decode_target(self, ids: Tensor) -> list[str]:
        """Labels (B, L), padded with 0, as texts."""
        names = ["", *(self.class_names or map(str, range(1, self.num_classes + 1)))]
        return ["".join(names[i] for i in row) for row in ids.tolist()]

    # -- batches ------------------------------------------------------------------------------------------------------

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        sounds, lengths, *rest = batch
        return (sounds[:, : int(lengths.max())].float() / 32767, lengths, *rest)

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        sounds, lengths, *rest = batch
        if self.gain:
            decibels = self.gain * (2 * torch.rand(len(sounds), 1, device=sounds.device) - 1)
            sounds = sounds * 10 ** (decibels / 20)
        if self.noise:
            level = self.noise * torch.rand(len(sounds), 1, device=sounds.device)
            sounds = sounds + level * torch.randn_like(sounds)
        return (sounds.clamp(-1, 1), lengths, *rest)


def padded(sounds: Sequence[np.ndarray], texts: Sequence[Sequence[int]] | None = None) -> tuple[Tensor, ...]:
    """Sounds (T_i,) int16 and their labels as a split: sounds (N, T), lengths (N,), and targets (N, S) if given."""
    rows = [torch.from_numpy(sound) for sound in sounds]
    stored = pad_sequence(rows, batch_first=True) if rows else torch.zeros(0, 1, dtype=torch.int16)
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    if texts is None:
        return stored, lengths
    width = max([1, *map(len, texts)])
    targets = [[*text, *[0] * (width - len(text))] for text in texts]
    return stored, lengths, torch.tensor(targets, dtype=torch.int64).reshape(len(rows), width)


def to_int16(sound: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] as whole numbers."""
    return np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)
