"""Spoken digits strung together: recordings of one voice after the other, with pauses and overlaps, in noise.

Of the recordings of ``spoken_digits.py`` (Free Spoken Digit Dataset). A string has one voice. With ``split: speaker``
the voices of training, validation and test are different people; with ``published`` all voices are known, and no
recording is in two splits.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from torch import Tensor

from common.messages import UserError
from datamodules.audio.spoken_digits import NAME, SpokenDigits
from datamodules.audio.transcribed import Transcribed, padded, to_int16
from datamodules.audio.wav_files import read_wav

EDGE = 0.005  # seconds that a recording fades in and out, so that its ends do not click


class SpokenStrings(Transcribed):
    """Strings of ``shortest`` to ``longest`` digits, all equally probable.

    Args:
        split: ``speaker`` or ``published``: see ``SpokenDigits``.
        test_speakers, val_speakers: Voices that are held out, where the split is by speaker.
        num_classes, sample_rate: Ten digits; the recordings' 8,000 Hz.
        shortest, longest: Digits in a string.
        pause: Shortest and longest time between two recordings in seconds; a negative one is an overlap.
        snr: Least and largest power of a string over that of its noise, in decibels.
        speed: Training strings are played faster or slower by up to this fraction, and so higher or lower: as many new
            voices (Ko et al. 2015).
        num_train, num_eval: Strings of the training split, and of each of the other two.
        **transcribed: See ``Transcribed``.

    Raises:
        UserError: The files are not there, or a split has no recording of a digit.
    """

    def __init__(
        self,
        split: Literal["speaker", "published"] = "speaker",
        test_speakers: Sequence[str] = ("theo",),
        val_speakers: Sequence[str] = ("lucas",),
        num_classes: int = 10,
        sample_rate: int = 8000,
        shortest: int = 3,
        longest: int = 7,
        pause: tuple[float, float] = (-0.04, 0.2),
        snr: tuple[float, float] = (15.0, 40.0),
        speed: float = 0.0,
        num_train: int = 2400,
        num_eval: int = 300,
        **transcribed: Any,
    ) -> None:
        super().__init__(num_classes, sample_rate, **transcribed)
        if not 1 <= shortest <= longest:
            raise UserError(f"data.shortest is {shortest}, data.longest {longest}: give 1 <= shortest <= longest")
        if num_classes != 10:
            raise UserError(f"data.num_classes is {num_classes}: there are 10 digits")
        self.recordings = SpokenDigits(split, test_speakers, val_speakers, sample_rate=sample_rate)
        self.shortest, self.longest, self.pause, self.snr = shortest, longest, pause, snr
        if not 0 <= speed < 1:
            raise UserError(f"data.speed is {speed}: give a fraction, from 0 to below 1")
        self.speed = speed
        self.sizes = {"train": num_train, "val": num_eval, "test": num_eval}
        self.class_names = self.recordings.class_names

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        voices = self.read()
        rng = np.random.default_rng(0)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for split, count in self.sizes.items():
            names = sorted(voices[split])
            speakers = [names[n % len(names)] for n in range(count)]
            strings = [rng.integers(10, size=rng.integers(self.shortest, self.longest + 1)) for _ in range(count)]
            rates = 1 + self.speed * rng.uniform(-1, 1, count) * (split == "train")
            drawn = zip(speakers, strings, rates, strict=True)
            sounds = [self.string(voices[split][who], digits, rng, rate) for who, digits, rate in drawn]
            splits[split] = padded(sounds, [(digits + 1).tolist() for digits in strings])
            self.utterance_names[split] = [f"{split} string {n} of {who}" for n, who in enumerate(speakers)]
            parts = {who: [who == name for name in speakers] for who in names} if len(names) > 1 else {}
            middle = (self.shortest + self.longest) / 2
            parts |= {"short": [len(d) <= middle for d in strings], "long": [len(d) > middle for d in strings]}
            self.subsets[split] = {name: rows for name, rows in parts.items() if any(rows)}
        return splits | {"predict": tuple(tensor[:4] for tensor in splits["test"][:2])}

    def read(self) -> dict[str, dict[str, dict[int, list[np.ndarray]]]]:
        """The recordings by split, voice and digit."""
        found: dict[str, dict[str, dict[int, list[np.ndarray]]]] = {"train": {}, "val": {}, "test": {}}
        for path in self.recordings.files():
            digit, speaker, index = NAME.fullmatch(path.name).groups()  # type: ignore[union-attr]
            voice = found[self.recordings.part_of(speaker, int(index))].setdefault(speaker, {n: [] for n in range(10)})
            try:
                voice[int(digit)].append(read_wav(str(path), self.sample_rate))
            except (ValueError, OSError) as error:
                raise UserError(f"{path} cannot be read: {error}; fetch it again") from None
        for split, voices in found.items():
            if not voices:
                raise UserError(f"no recordings for the {split} split: fetch all of the data set")
            for speaker, digits in voices.items():
                if missing := [digit for digit, sounds in digits.items() if not sounds]:
                    raise UserError(f"the {split} split has no recording of digit {missing[0]} by {speaker}: fetch all")
        return found

    def string(
        self, voice: dict[int, list[np.ndarray]], digits: np.ndarray, rng: np.random.Generator, rate: float = 1.0
    ) -> np.ndarray:
        """A string as int16 (T,): each digit a recording drawn at random, played ``rate`` times as fast, all about
        equally loud, in noise.
        """
        edge = round(EDGE * self.sample_rate)
        at = round(rng.uniform(0.05, 0.3) * self.sample_rate)
        placed = []
        for digit in digits:
            recording = voice[int(digit)][rng.integers(len(voice[int(digit)]))]
            sound = np.interp(np.arange(0, len(recording) - 1, rate), np.arange(len(recording)), recording)
            fade = np.linspace(0, 1, min(edge, len(sound) // 2))
            sound[: len(fade)] *= fade
            sound[len(sound) - len(fade) :] *= fade[::-1]
            sound *= 10 ** (rng.uniform(-3, 3) / 20) / max(1e-4, float(np.sqrt(np.square(sound).mean())))
            placed.append((at, sound))
            at = max(at + edge, at + len(sound) + round(rng.uniform(*self.pause) * self.sample_rate))
        end = max(begin + len(sound) for begin, sound in placed) + round(rng.uniform(0.05, 0.3) * self.sample_rate)
        whole = np.zeros(end, dtype=np.float32)
        for begin, sound in placed:
            whole[begin : begin + len(sound)] += sound
        whole += 10 ** (-rng.uniform(*self.snr) / 20) * rng.standard_normal(end, dtype=np.float32)
        return to_int16(whole / np.abs(whole).max() * rng.uniform(0.2, 1))
