"""WAV files: reads any of them as one channel at one rate, and reads their headers.

scipy reads PCM of 8 to 64 bits and floating point; it does not read other formats (MP3, FLAC, compressed WAV).
"""

import warnings
from fractions import Fraction

import numpy as np
from scipy.io import wavfile
from scipy.signal import resample_poly


def read_wav(path: str, sample_rate: int) -> np.ndarray:
    """The sound as float32 (T,) in [-1, 1]: channels averaged, resampled with an anti-aliasing filter.

    Raises:
        ValueError: The file is not a WAV file, is damaged, or has no samples.
    """
    rate, samples = read_raw(path)
    if samples.dtype.kind == "u":  # 8 bits are unsigned, silence is 128
        sound: np.ndarray = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        sound = samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    else:
        sound = samples.astype(np.float32)
    return one_channel(sound, rate, sample_rate)


def one_channel(sound: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """Sound (T,) or (T, channels) at ``rate`` as float32 (T,) in [-1, 1] at ``sample_rate``.

    Raises:
        ValueError: It has numbers that are not finite.
    """
    if sound.ndim == 2:
        sound = sound.mean(1)
    if not np.isfinite(sound).all():
        raise ValueError("it holds numbers that are not finite")
    if rate != sample_rate:
        ratio = Fraction(sample_rate, rate)
        sound = resample_poly(sound, ratio.numerator, ratio.denominator).astype(np.float32)
    return sound.clip(-1, 1)


def read_header(path: str) -> tuple[int, float]:
    """Rate in Hz and length in seconds; the samples themselves are read only where they cannot be mapped (24 bits).

    Raises:
        ValueError: As in ``read_wav``.
    """
    try:
        rate, samples = read_raw(path, mmap=True)
    except ValueError:
        rate, samples = read_raw(path)
    return rate, len(samples) / rate


def read_raw(path: str, mmap: bool = False) -> tuple[int, np.ndarray]:
    """Rate in Hz and samples (T,) or (T, channels) as they are stored."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", category=wavfile.WavFileWarning)  # the end is missing
            # the filter that was added last is asked first: chunks with titles or peaks are fine
            warnings.filterwarnings("ignore", ".*non-data.*", wavfile.WavFileWarning)
            rate, samples = wavfile.read(path, mmap=mmap)
    except OSError:
        raise
    except Exception as error:  # scipy raises ValueError, struct.error, EOFError and others for damaged files
        with open(path, "rb") as file:
            start = file.read(4)
        if start not in (b"RIFF", b"RIFX", b"RF64"):
            raise ValueError("it is no WAV file, whatever its ending" if start else "it is empty, zero bytes") from None
        raise ValueError(str(error).strip().rstrip(".") or type(error).__name__) from None
    if not len(samples) or rate < 1:
        raise ValueError("it has no samples")
    return rate, samples


def fit_length(sound: np.ndarray, num_samples: int) -> np.ndarray:
    """Sound (T,) as int16 (num_samples,): cut to its middle if longer, padded with zeros on both sides if shorter."""
    spare = num_samples - len(sound)
    if spare < 0:
        sound = sound[-spare // 2 :][:num_samples]
    else:
        sound = np.pad(sound, (spare // 2, spare - spare // 2))
    return np.round(sound * 32767).astype(np.int16)
