"""Raw samples that come in pieces: bytes to numbers, channels to one, and one rate to another without a seam.

The formats have ffmpeg's names: ``s16le`` is signed, 16 bits, little endian.
"""

from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

from common.messages import UserError

#: Type of a sample, bytes, and the largest value plus one.
FORMATS = {"u8": ("u1", 1, 128.0), "s16le": ("<i2", 2, 32768.0), "s24le": ("", 3, 8388608.0)}
FORMATS |= {"s32le": ("<i4", 4, 2147483648.0), "f32le": ("<f4", 4, 1.0)}
ALIKE = 0.02  # of the difference of neighbors: far below that, every second sample repeats the one before


class PCM:
    """Bytes in pieces of any length to samples (n,) in [-1, 1], the mean of the channels.

    Args:
        kind: One of ``FORMATS``.
        channels: Samples at each time, one after the other.
    """

    def __init__(self, kind: str, channels: int) -> None:
        self.kind, self.channels, self.rest = kind, channels, b""

    def samples(self, data: bytes) -> np.ndarray:
        """The samples that are complete. Raises ``UserError`` for numbers that are not finite."""
        code, width, scale = FORMATS[self.kind]
        data = self.rest + data
        whole = len(data) // (width * self.channels) * width * self.channels
        data, self.rest = data[:whole], data[whole:]
        if self.kind == "s24le":
            three = np.frombuffer(data, "u1").reshape(-1, 3).astype(np.int32)
            values = three @ np.array([1, 256, 65536], dtype=np.int32)
            numbers = np.where(values >= 1 << 23, values - (1 << 24), values).astype(np.float32)
        else:
            numbers = np.frombuffer(data, code).astype(np.float32)
        if not np.isfinite(numbers).all():
            raise UserError(f"the stream has numbers that are not finite: is it {self.kind}? give --format")
        numbers = (numbers - (128 if self.kind == "u8" else 0)) / np.float32(scale)
        return numbers.reshape(-1, self.channels).mean(1).clip(-1, 1)


class StreamResampler:
    """Samples at one rate in pieces to another rate; the pieces together are ``resample_poly`` of the whole.

    The filter of ``resample_poly`` reaches 10 samples of the lower rate to both sides. Blocks that begin and end at a
    sample of both rates are resampled with as much of their neighbors.

    Args:
        rate: Of the samples that come, in Hz.
        target: Of those that are wanted.
    """

    def __init__(self, rate: int, target: int) -> None:
        ratio = Fraction(target, rate)
        self.up, self.down = ratio.numerator, ratio.denominator
        reach = 10 * max(self.up, self.down) // self.up + 1  # samples of the filter to one side
        self.margin = -(-reach // self.down) * self.down
        self.past = np.zeros(0, dtype=np.float32)  # up to ``margin`` samples before those that wait
        self.waiting = np.zeros(0, dtype=np.float32)

    def resample(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        """The samples at the target rate that are certain; all of them at the last call."""
        if self.up == self.down:
            return samples
        self.waiting = np.concatenate([self.waiting, samples])
        whole = max(0, len(self.waiting) - self.margin) // self.down * self.down
        take = len(self.waiting) if last else whole
        if not take:
            return np.zeros(0, dtype=np.float32)
        after = self.waiting[take : take + self.margin]
        y = resample_poly(np.concatenate([self.past, self.waiting[:take], after]), self.up, self.down)
        begin = len(self.past) // self.down * self.up
        end = len(y) if last else begin + take // self.down * self.up
        self.past = np.concatenate([self.past, self.waiting[:take]])[-self.margin :]
        self.waiting = self.waiting[take:]
        return y[begin:end].astype(np.float32)


def looks_interleaved(samples: np.ndarray) -> bool:
    """Whether samples (n,) look like two channels taken for one: in pairs alike, or every second one silent."""
    even, odd = samples[: len(samples) // 2 * 2].astype(np.float64).reshape(-1, 2).T
    if len(even) < 100 or float(np.square(samples).mean()) < 1e-8:
        return False
    within, between = np.square(even - odd).mean(), np.square(odd[:-1] - even[1:]).mean()
    power = sorted([float(np.square(even).mean()), float(np.square(odd).mean())])
    return bool(within < ALIKE * between or power[0] < 1e-4 * power[1])
