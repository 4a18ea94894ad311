"""Telephone keys in noise: a generated task whose best accuracy is known, since the frequencies are.

ITU-T Q.23: a key sounds the tone of its row and the tone of its column. ITU-T Q.24 says what a receiver must accept:
frequencies up to 1.5 % off, and tones that differ by some decibels. Both deviations are drawn at random here, and so
are the phases, the beginning and the end. White noise is added, stronger than the tones.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.messages import UserError
from datamodules.audio.waveforms import Waveforms

ROWS = (697.0, 770.0, 852.0, 941.0)  # Hz
COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
KEYS = "123A456B789C*0#D"


class Keypad(Waveforms):
    """The 16 keys as sounds x (B, num_samples), y (B,) the key's number in ``123A456B789C*0#D``.

    The best possible accuracy is about that of ``detect``, which knows the frequencies: 0.99 on the test split at the
    default noise.

    Args:
        num_classes, num_samples, sample_rate: 16 keys; a fifth of a second; the telephone's 8,000 Hz.
        snr: Power of the two tones over that of the noise while they sound, in decibels.
        num_train, num_eval: Sounds of the training split, and of each of the other two; all keys are equally frequent.
        **waveforms: See ``Waveforms``.
    """

    def __init__(
        self,
        num_classes: int = 16,
        num_samples: int = 1600,
        sample_rate: int = 8000,
        snr: float = -8.0,
        num_train: int = 4000,
        num_eval: int = 1600,
        **waveforms: Any,
    ) -> None:
        super().__init__(num_classes, num_samples, sample_rate, **waveforms)
        if num_classes != 16:
            raise UserError(f"data.num_classes is {num_classes}: a keypad has 16 keys")
        if sample_rate <= 2 * COLUMNS[-1] * 1.015:
            raise UserError(f"data.sample_rate is {sample_rate}: the highest tone needs more than 3,316 Hz")
        self.snr = snr
        self.sizes = {"train": num_train, "val": num_eval, "test": num_eval}
        self.class_names = list(KEYS)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        generator = torch.Generator().manual_seed(0)
        splits: dict[str, tuple[Tensor, ...]] = {}
        for split, count in self.sizes.items():
            y = torch.arange(count) % 16
            splits[split] = (self.dial(y, generator), y)
        return splits | {"predict": splits["test"][:1]}

    def dial(self, keys: Tensor, generator: torch.Generator) -> Tensor:
        """Sounds (N, num_samples) int16 of keys (N,)."""

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(len(keys), 1, generator=generator)

        time = torch.arange(self.num_samples) / self.sample_rate  # (T,), seconds
        tones = torch.zeros(len(keys), self.num_samples)
        for frequencies, louder in ((ROWS, 0.0), (COLUMNS, uniform(-3, 3))):  # decibels
            which = keys // 4 if frequencies is ROWS else keys % 4
            hertz = torch.tensor(frequencies)[which][:, None] * uniform(0.985, 1.015)
            tones += 10 ** (louder / 20) * torch.sin(2 * torch.pi * (hertz * time + uniform(0, 1)))
        length = self.num_samples / self.sample_rate
        begin, end = uniform(0, 0.3) * length, uniform(0.7, 1) * length
        sounding = (time >= begin) & (time < end)
        noise = 10 ** (-self.snr / 20) * torch.randn(tones.shape, generator=generator)  # two tones have power 1
        sounds = sounding * tones + noise
        return (sounds / sounds.abs().amax(1, keepdim=True) * 32767).round().to(torch.int16)


def detect(sounds: np.ndarray, sample_rate: int) -> np.ndarray:
    """The keys (N,) of sounds (N, T), detected by the known frequencies: the row and the column with the most energy.

    The energy at a frequency is |sum over t of x[t] exp(-2 pi i f t)|^2, the largest over the 3 % within which
    a key's frequency lies.
    """
    time = np.arange(sounds.shape[1]) / sample_rate
    best = []
    for frequencies in (ROWS, COLUMNS):
        off = np.linspace(0.985, 1.015, 13)
        waves = np.exp(-2j * np.pi * time[:, None, None] * np.outer(frequencies, off))  # (T, 4, 13)
        energy = np.abs(np.tensordot(sounds.astype(np.float64), waves, 1)) ** 2  # (N, 4, 13)
        best.append(energy.max(2).argmax(1))
    return 4 * best[0] + best[1]
