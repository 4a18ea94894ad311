"""The base of in-memory sound sets: int16 storage, scaling on the device, augmentation of a batch."""

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule


class Waveforms(TensorDataModule):
    """Sounds (N, num_samples) int16 with labels (N,). A batch is x (B, num_samples) float in [-1, 1], y (B,).

    Args:
        num_classes, num_samples, sample_rate: Linked to the model's arguments of the same name. The rate is in Hz.
        shift: Training sounds are moved by up to this fraction of their length in either direction, filled with zeros.
        noise: Training sounds get Gaussian noise of this standard deviation; evaluation has none. Keep it below the
            noise of the recordings: where they end in zeros, added noise changes the spectrogram of the silence.
        **loader: See ``TensorDataModule``.
    """

    links = ("num_classes", "num_samples", "sample_rate")

    def __init__(
        self,
        num_classes: int,
        num_samples: int,
        sample_rate: int,
        shift: float = 0.0,
        noise: float = 0.0,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        for name, value in (("num_samples", num_samples), ("sample_rate", sample_rate)):
            if value < 1:
                raise UserError(f"data.{name} is {value}: give a whole number of at least 1")
        if not 0 <= shift < 1:
            raise UserError(f"data.shift is {shift}: give a fraction of the length, from 0 to below 1")
        self.num_classes = num_classes
        self.num_samples = num_samples
        self.sample_rate = sample_rate
        self.shift = shift
        self.noise = noise

    @property
    def input_means(self) -> str:  # type: ignore[override]
        return f"sounds of {self.num_samples} samples at {self.sample_rate} Hz: numbers in [-1, 1]"

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        sounds, *rest = batch
        return (sounds.float() / 32767, *rest)

    def augment(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        sounds, *rest = batch
        if self.shift:
            sounds = random_time_shift(sounds, round(self.shift * self.num_samples))
        if self.noise:
            sounds = sounds + self.noise * torch.randn_like(sounds)
        return (sounds, *rest)


def random_time_shift(sounds: Tensor, most: int) -> Tensor:
    """Moves each sound (B, T) by its own random number of samples, at most ``most`` each way; zeros come in."""
    b, t = sounds.shape
    start = torch.randint(2 * most + 1, (b, 1), device=sounds.device) - most
    index = torch.arange(t, device=sounds.device) + start
    return torch.where((index >= 0) & (index < t), sounds.gather(1, index.clamp(0, t - 1)), 0.0)
