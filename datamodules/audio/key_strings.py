"""Strings of telephone keys in noise, dialed by hands of different speed: the answer is exact, the best is known.

The tones are those of ``keypad.py`` (ITU-T Q.23, Q.24: a tone and a pause are at least 40 ms long). The baseline does
what was done before networks: it cuts the sound where its energy falls below a threshold, and detects the key of each
piece by the known frequencies. In noise it finds pieces where there are none, and cuts keys in two.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from common.messages import UserError
from datamodules.audio.keypad import COLUMNS, KEYS, ROWS, detect
from datamodules.audio.transcribed import Transcribed, padded, to_int16

TONE, PAUSE, MARGIN = (0.05, 0.11), (0.04, 0.11), (0.05, 0.25)  # seconds
FRAME = 0.02  # seconds, of the energy by which the baseline cuts


class KeyStrings(Transcribed):
    """Strings of ``shortest`` to ``longest`` keys of ``123A456B789C*0#D``, all equally probable.

    Args:
        num_classes, sample_rate: 16 keys, the telephone's 8,000 Hz.
        shortest, longest: Keys in a string.
        snr: Levels of noise, each equally frequent: power of the two tones over that of the noise, in decibels.
        num_train, num_eval: Strings of the training split, and of each of the other two.
        **transcribed: See ``Transcribed``.
    """

    def __init__(
        self,
        num_classes: int = 16,
        sample_rate: int = 8000,
        shortest: int = 3,
        longest: int = 12,
        snr: Sequence[float] = (-3.0, 0.0, 3.0, 6.0),
        num_train: int = 2400,
        num_eval: int = 400,
        **transcribed: Any,
    ) -> None:
        super().__init__(num_classes, sample_rate, **transcribed)
        if num_classes != 16:
            raise UserError(f"data.num_classes is {num_classes}: a keypad has 16 keys")
        if sample_rate <= 2 * COLUMNS[-1] * 1.015:
            raise UserError(f"data.sample_rate is {sample_rate}: the highest tone needs more than 3,316 Hz")
        if not 1 <= shortest <= longest:
            raise UserError(f"data.shortest is {shortest}, data.longest {longest}: give 1 <= shortest <= longest")
        if not snr:
            raise UserError("data.snr has no level: give it some, in decibels")
        self.shortest, self.longest, self.snr = shortest, longest, tuple(snr)
        self.sizes = {"train": num_train, "val": num_eval, "test": num_eval}
        self.class_names = list(KEYS)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        rng = np.random.default_rng(0)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for split, count in self.sizes.items():
            strings = [rng.integers(16, size=rng.integers(self.shortest, self.longest + 1)) for _ in range(count)]
            levels = np.arange(count) % len(self.snr)
            sounds = [self.dial(keys, self.snr[level], rng) for keys, level in zip(strings, levels, strict=True)]
            splits[split] = padded(sounds, [(keys + 1).tolist() for keys in strings])
            parts = {f"snr_{snr:g}": (levels == n).tolist() for n, snr in enumerate(self.snr)}
            middle = (self.shortest + self.longest) / 2
            parts |= {"short": [len(k) <= middle for k in strings], "long": [len(k) > middle for k in strings]}
            self.subsets[split] = {name: rows for name, rows in parts.items() if any(rows)}
            self.utterance_names[split] = [f"{split} string {n}" for n in range(count)]
        return splits | {"predict": tuple(tensor[:4] for tensor in splits["test"][:2])}

    def dial(self, keys: np.ndarray, snr: float, rng: np.random.Generator) -> np.ndarray:
        """A string as int16 (T,): each key with its own length and pause, at one speed, loudness and deviation."""
        speed = rng.uniform(0.8, 1.25)
        off = rng.uniform(0.985, 1.015, 2)  # of the row tones and of the column tones: one telephone
        twist = 10 ** (rng.uniform(-3, 3) / 20)  # of the louder group
        parts = [np.zeros(self.samples(rng.uniform(*MARGIN)))]
        for key in keys:
            time = np.arange(self.samples(max(0.04, rng.uniform(*TONE) * speed))) / self.sample_rate
            hertz = ROWS[key // 4] * off[0], COLUMNS[key % 4] * off[1]
            phase = 2 * np.pi * rng.uniform(size=2)
            parts.append(
                sum(np.sin(2 * np.pi * f * time + p) * a for f, p, a in zip(hertz, phase, (1, twist), strict=True))
            )
            parts.append(np.zeros(self.samples(max(0.04, rng.uniform(*PAUSE) * speed))))
        tones = np.concatenate([*parts[:-1], np.zeros(self.samples(rng.uniform(*MARGIN)))])
        power = (1 + twist**2) / 2
        sound = tones + np.sqrt(power * 10 ** (-snr / 10)) * rng.standard_normal(len(tones), dtype=np.float32)
        return to_int16(sound / np.abs(sound).max() * rng.uniform(0.1, 1))

    def samples(self, seconds: float) -> int:
        return round(seconds * self.sample_rate)

    def baselines(self) -> dict[str, dict[str, Any]]:
        """Of the test split: nothing heard, and keys cut at silences."""
        sounds, lengths, targets = self.splits["test"]
        true = [[label for label in row if label] for row in targets.tolist()]
        heard = cut_and_detect([s[:n] for s, n in zip(sounds.numpy(), lengths.tolist(), strict=True)], self.sample_rate)
        what = "cut where the energy is below a threshold, each piece detected by the known frequencies"
        return {
            "chance": {"what": "nothing was heard", "metrics": error_metrics(true, [[] for _ in true])},
            "baseline": {"what": what, "metrics": error_metrics(true, heard)},
        }


def error_metrics(true: Sequence[Sequence[int]], heard: Sequence[Sequence[int]]) -> dict[str, float]:
    """The error rates by label and by string, as ``lit_models.tasks.transcriber`` has them."""
    from torchmetrics.functional.text import edit_distance

    texts = [["".join(chr(48 + label) for label in row) for row in side] for side in (heard, true)]
    edits = float(edit_distance(texts[0], texts[1], reduction="sum"))
    wrong = sum(list(a) != list(b) for a, b in zip(true, heard, strict=True))
    return {"test/label_error": edits / max(1, sum(map(len, true))), "test/string_error": wrong / len(true)}


def cut_and_detect(sounds: Sequence[np.ndarray], sample_rate: int) -> list[list[int]]:
    """The labels of sounds (T_i,): of each piece of at least 30 ms that is louder than half-way from noise to tone.

    The energy is that of 20 ms, in decibels; noise and tone are its 10 % and 90 % quantiles.
    """
    size = round(FRAME * sample_rate)
    pieces: list[np.ndarray] = []
    rows: list[int] = []
    for row, sound in enumerate(sounds):
        frames = sound[: len(sound) // size * size].astype(np.float64).reshape(-1, size)
        energy = 10 * np.log10(np.square(frames).mean(1) + 1e-3)
        low, high = np.quantile(energy, [0.1, 0.9])
        loud = np.concatenate([[0], (energy > (low + high) / 2).astype(int), [0]])
        begins, ends = (np.flatnonzero(np.diff(loud) == step) * size for step in (1, -1))
        pieces += [sound[a:b] for a, b in zip(begins, ends, strict=True) if b - a >= 0.03 * sample_rate]
        rows += [row] * (len(pieces) - len(rows))
    heard: list[list[int]] = [[] for _ in sounds]
    together = np.zeros((len(pieces), max([1, *map(len, pieces)])))
    for piece, place in zip(pieces, together, strict=True):
        place[: len(piece)] = piece
    for row, key in zip(rows, detect(together, sample_rate).tolist() if pieces else [], strict=True):
        heard[row].append(key + 1)
    return heard
