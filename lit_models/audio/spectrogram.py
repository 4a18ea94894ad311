"""From a waveform to a log-mel spectrogram: frames, window, Fourier transform, mel filters, logarithm.

Stevens, Volkmann and Newman 1937 for the mel scale, in the two formulas in use: O'Shaughnessy 1987 (``htk``: 2595
log10(1 + f / 700)) and Slaney 1998 (``slaney``: linear up to 1 kHz, logarithmic above, filters of equal area). Davis
and Mermelstein 1980 for the filter bank. It runs on the batch, on its device, and gradients flow through it. ``dive
verify`` compares it with torch.stft and with transformers.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Scale = Literal["htk", "slaney"]
LINEAR_END = 1000.0  # Hz, Slaney: 15 mel, 3 for each 200 Hz below
LOG_STEP = math.log(6.4) / 27  # and 27 mel for a factor of 6.4 above


def hertz_to_mel(hertz: Tensor, scale: Scale = "htk") -> Tensor:
    """Pitch as it is heard: equal distances in mel sound equally far apart."""
    if scale == "htk":
        return 2595 * torch.log10(1 + hertz / 700)
    above = 15 + torch.log(hertz.clamp(min=LINEAR_END) / LINEAR_END) / LOG_STEP
    return torch.where(hertz < LINEAR_END, 3 * hertz / 200, above)


def mel_to_hertz(mel: Tensor, scale: Scale = "htk") -> Tensor:
    """The inverse of ``hertz_to_mel``."""
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return torch.where(mel < 15, 200 * mel / 3, LINEAR_END * torch.exp(LOG_STEP * (mel - 15).clamp(min=0)))


def mel_filters(
    n_fft: int, n_mels: int, sample_rate: int, low: float = 0.0, high: float | None = None, scale: Scale = "htk"
) -> Tensor:
    """Triangles on the mel scale, (n_mels, n_fft // 2 + 1), float64; a spectrum (..., F) times their transpose.

    Args:
        n_fft: Length of the frames that are transformed.
        n_mels: Number of filters.
        sample_rate: In Hz.
        low, high: Where the first triangle begins and the last one ends, in Hz; None means half the sample rate.
        scale: Peaks of one (htk), or equal areas (slaney).

    Raises:
        ValueError: A filter lies between two frequencies of the transform and would be all zeros; the error names the
            largest number.
    """
    high = sample_rate / 2 if high is None else high
    ends = hertz_to_mel(torch.tensor([low, high], dtype=torch.float64), scale)
    corners = mel_to_hertz(torch.linspace(float(ends[0]), float(ends[1]), n_mels + 2, dtype=torch.float64), scale)
    frequencies = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]  # (n_mels, 1)
    rising = (frequencies - left) / (middle - left)
    falling = (right - frequencies) / (right - middle)
    filters = torch.minimum(rising, falling).clamp(min=0)
    if (silent := int((filters.sum(1) == 0).sum())) and n_mels > 1:
        raise ValueError(
            f"n_mels is {n_mels}: {silent} of the filters lie between two of the {n_fft // 2 + 1} frequencies of n_fft "
            f"{n_fft}; take fewer filters or a larger n_fft"
        )
    return filters * 2 / (right - left) if scale == "slaney" else filters


def power_spectrogram(x: Tensor, n_fft: int, hop: int) -> Tensor:
    """|short-time Fourier transform|^2 with a Hann window: (B, T) -> (B, n_fft // 2 + 1, T // hop + 1).

    Frame k is centered at sample k hop; the sound is mirrored at its ends.
    """
    x = F.pad(x[:, None], (n_fft // 2, n_fft // 2), mode="reflect")[:, 0]
    frames = x.unfold(1, n_fft, hop)  # (B, frames, n_fft), a view
    n = torch.arange(n_fft, device=x.device, dtype=x.dtype)
    window = 0.5 - 0.5 * torch.cos(2 * torch.pi * n / n_fft)
    spectrum = torch.fft.rfft(frames * window)  # (B, frames, n_fft // 2 + 1)
    return (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2)


class LogMel(nn.Module):
    """Log-mel spectrograms, each with mean 0 and standard deviation 1. (B, T) -> (B, 1, n_mels, T // hop + 1).

    The mean of a logarithm is the loudness, so that how loud a sound was does not matter. It runs in float32 under
    autocast too: eight bits of a power spectrum are too few before its logarithm is taken.

    Args:
        sample_rate: In Hz.
        n_fft: Samples in a frame.
        hop: Samples from one frame to the next.
        n_mels: Filters.
        scale: See ``mel_filters``.
        floor: What is added before the logarithm, relative to the loudest entry: 1e-6 is 60 dB below it.
    """

    filters: Tensor

    def __init__(
        self,
        sample_rate: int,
        n_fft: int = 256,
        hop: int = 80,
        n_mels: int = 40,
        scale: Scale = "htk",
        floor: float = 1e-6,
    ) -> None:
        super().__init__()
        self.n_fft, self.hop, self.floor = n_fft, hop, floor
        self.register_buffer("filters", mel_filters(n_fft, n_mels, sample_rate, scale=scale).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(torch.promote_types(x.dtype, torch.float32))
            mel = self.filters.to(x.dtype) @ power_spectrogram(x, self.n_fft, self.hop)  # (B, n_mels, frames)
            loudest = mel.amax((1, 2), keepdim=True)
            log = torch.log(mel + self.floor * loudest + 1e-20)
            std, mean = torch.std_mean(log, (1, 2), keepdim=True, correction=0)
            return ((log - mean) / (std + 1e-5))[:, None]
