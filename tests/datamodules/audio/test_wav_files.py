"""WAV files of every kind: the same sound is read, damaged files are refused."""

import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from datamodules.audio.wav_files import fit_length, read_header, read_wav
from tests.datamodules.audio.sounds import corrupt, sing


@pytest.mark.parametrize("kind", ["uint8", "int16", "int32", "float32", "float64"])
def test_every_format_gives_the_same_sound(tmp_path: Path, kind: str) -> None:
    sound = read_wav(str(sing(tmp_path / "a.wav", kind=kind)), 8000)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(1600) / 8000)
    assert sound.dtype == np.float32
    assert np.abs(sound - expected).max() < (0.01 if kind == "uint8" else 1e-4)


def test_24_bits_are_read_and_their_header_too(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(3), file.setframerate(8000)
        file.writeframes(b"".join(struct.pack("<i", v)[:3] for v in (0, 2**22, -(2**22), 2**23 - 1)))
    assert read_wav(str(path), 8000) == pytest.approx([0, 0.5, -0.5, 1], abs=1e-6)
    assert read_header(str(path)) == (8000, 4 / 8000)


def test_channels_are_averaged_and_other_rates_resampled(tmp_path: Path) -> None:
    from scipy.io import wavfile

    time = np.arange(8820) / 44100
    left = np.sin(2 * np.pi * 440 * time)
    wavfile.write(tmp_path / "a.wav", 44100, np.stack([left, 0 * left], 1).astype(np.float32))
    sound = read_wav(str(tmp_path / "a.wav"), 8000)
    assert len(sound) == 1600
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(1600) / 8000)
    assert np.abs(sound - expected)[50:-50].max() < 0.01


def test_resampling_does_not_alias(tmp_path: Path) -> None:
    sound = read_wav(str(sing(tmp_path / "a.wav", hertz=7000, rate=16000)), 8000)  # would come back as 1,000 Hz
    assert np.abs(sound)[50:-50].max() < 0.02


def test_short_sounds_get_zeros_and_long_ones_lose_their_ends() -> None:
    assert fit_length(np.ones(3, np.float32), 6).tolist() == [0, 32767, 32767, 32767, 0, 0]
    assert fit_length(np.array([0, 1, 0.5, -1, 0], np.float32), 3).tolist() == [32767, 16384, -32767]


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "zero bytes"), (b"RIFF", ""), (b"no sound at all, only words" * 9, "it is no WAV file")],
)
def test_a_file_that_is_not_wav_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        read_wav(str(tmp_path / "a.wav"), 8000)


def test_a_file_whose_end_is_missing_is_refused(tmp_path: Path) -> None:
    path = sing(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ValueError):
        read_wav(str(path), 8000)
    corrupt(path)
    with pytest.raises(ValueError):
        read_header(str(path))


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    from scipy.io import wavfile

    wavfile.write(tmp_path / "a.wav", 8000, np.array([0, np.nan], np.float32))
    with pytest.raises(ValueError, match="not finite"):
        read_wav(str(tmp_path / "a.wav"), 8000)


def test_floating_point_with_a_chunk_of_peaks_is_read(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    sound = 0.5 * np.sin(np.arange(400) / 9)
    soundfile.write(tmp_path / "a.wav", sound, 8000, subtype="FLOAT")  # libsndfile writes a PEAK chunk
    assert read_wav(str(tmp_path / "a.wav"), 8000) == pytest.approx(sound, abs=1e-6)
    assert read_header(str(tmp_path / "a.wav")) == (8000, 0.05)
