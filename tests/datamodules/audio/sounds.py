"""Small WAV files for tests: a low and a high tone as two classes."""

from pathlib import Path

import numpy as np
from scipy.io import wavfile

PITCH = {"high": 2000.0, "low": 300.0}  # Hz


def sing(path: Path, hertz: float = 440.0, seconds: float = 0.2, rate: int = 8000, kind: str = "int16") -> Path:
    """Writes a tone at half the full scale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    if kind == "uint8":
        samples = np.round(tone * 127 + 128).astype(kind)
    elif kind.startswith("int"):
        samples = np.round(tone * np.iinfo(kind).max).astype(kind)  # type: ignore[arg-type]
    else:
        samples = tone.astype(kind)
    wavfile.write(path, rate, samples)
    return path


def fill(root: Path, count: int, pitch: dict[str, float] = PITCH) -> Path:
    """``count`` tones a class, of slightly different pitch and length."""
    for name, hertz in pitch.items():
        for i in range(count):
            sing(root / name / f"{i:02d}.wav", hertz * (1 + i / 200), 0.18 + 0.002 * i)
    return root


def corrupt(path: Path) -> Path:
    """A file that ends within its header."""
    path.write_bytes(path.read_bytes()[:20])
    return path
