"""Sound files of all kinds: which are found, and that they give the same sound."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from datamodules.audio.sound_files import find_sounds, read_sound, read_sound_header
from tests.datamodules.audio.sounds import sing


def tone(rate: int = 8000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)


def test_sounds_are_found_at_any_depth_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b.WAV", "deep/er/a.wav", ".hidden/c.wav", "d.txt", "deep/._e.wav", "f.MP3", "g.flac", "h.m4a"):
        sing(tmp_path / name)
    assert find_sounds(str(tmp_path)) == ["b.WAV", "deep/er/a.wav", "f.MP3", "g.flac"]


@pytest.mark.parametrize(
    ("name", "subtype", "error"),
    [
        ("a.flac", None, 1e-3),
        ("a.aiff", None, 1e-3),
        ("a.ogg", "VORBIS", 0.1),
        ("a.mp3", None, 0.1),
        ("a.wav", "ULAW", 0.05),
        ("a.wav", "IMA_ADPCM", 0.05),
    ],
)
def test_every_kind_gives_the_same_sound(tmp_path: Path, name: str, subtype: str | None, error: float) -> None:
    path = str(tmp_path / name)
    soundfile.write(path, np.stack([tone(), tone()], 1), 8000, subtype=subtype)
    rate, seconds = read_sound_header(path)
    assert rate == 8000 and seconds == pytest.approx(1, abs=0.15)
    sound = read_sound(path, 4000)
    assert sound.dtype == np.float32 and len(sound) == pytest.approx(4000, abs=600)
    spectrum = np.abs(np.fft.rfft(sound[500:3500]))
    assert spectrum.argmax() == pytest.approx(440 * 3000 / 4000, abs=2)  # the tone, whatever delay a codec adds
    assert np.abs(sound[500:3500]).max() == pytest.approx(0.5, abs=error)


@pytest.mark.parametrize("content", [b"ID3" + bytes(99), b"", b"fLaC and nothing"])
@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.wav"])
def test_a_file_that_is_no_sound_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    for read in (lambda path: read_sound(path, 8000), read_sound_header):
        with pytest.raises(ValueError, match=r"\w"):
            read(str(tmp_path / name))
