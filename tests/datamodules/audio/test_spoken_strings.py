"""Strings of spoken digits: voices held apart, overlaps, exact texts."""

from pathlib import Path

import numpy as np
import pytest

from common.messages import UserError
from datamodules.audio.spoken_strings import SpokenStrings
from tests.datamodules.audio.sounds import sing

VOICES = {"theo": 0, "lucas": 7, "anna": 13, "ben": 21}  # Hz above the digit's own pitch


def fill(root: Path, indices: tuple[int, ...] = (0, 9)) -> Path:
    """Some recordings of each digit by each voice, a tone that says which it is."""
    for voice, off in VOICES.items():
        for digit in range(10):
            for index in indices:
                name = f"free-spoken-digit-dataset/recordings/{digit}_{voice}_{index}.wav"
                sing(root / name, 300 + 300 * digit + off, 0.3)
    return root


def ready(root: Path, monkeypatch: pytest.MonkeyPatch, **arguments: object) -> SpokenStrings:
    monkeypatch.setenv("DIVE_DATA", str(fill(root)))
    sizes = {"num_train": 12, "num_eval": 6, "snr": (60.0, 60.0), "pause": (0.05, 0.1)}
    data = SpokenStrings(**(sizes | arguments))  # type: ignore[arg-type]
    data.setup("fit")
    data.setup("test")
    return data


def pitches(sound: np.ndarray) -> list[float]:
    """The pitch of each piece between silences."""
    frames = np.abs(sound[: len(sound) // 80 * 80].astype(float)).reshape(-1, 80).max(1) > 0.05 * np.abs(sound).max()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], frames.astype(int), [0]]))) * 80
    pieces = [sound[a:b].astype(float) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return [float(np.abs(np.fft.rfft(piece, 80_000)).argmax() / 10) for piece in pieces]


def test_a_string_says_its_digits_in_one_voice_that_training_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ready(tmp_path, monkeypatch)
    for split, voices in {"train": ("anna", "ben"), "val": ("lucas",), "test": ("theo",)}.items():
        sounds, lengths, targets = data.splits[split]
        for sound, n, row, name in zip(
            sounds.numpy(), lengths.tolist(), targets.tolist(), data.utterance_names[split], strict=True
        ):
            voice = name.split()[-1]
            assert voice in voices
            expected = [300 + 300 * (label - 1) + VOICES[voice] for label in row if label]
            assert pitches(sound[:n]) == pytest.approx(expected, abs=6)
    assert data.decode_target(data.splits["test"][2])[0].isdigit()
    assert list(data.subsets["train"]) == ["anna", "ben", "short", "long"] and "theo" not in data.subsets["test"]


def test_the_published_split_has_all_voices_and_other_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIVE_DATA", str(fill(tmp_path)))
    with pytest.raises(UserError, match="no recordings for the val split"):
        SpokenStrings(split="published").setup("fit")
    monkeypatch.setenv("DIVE_DATA", str(fill(tmp_path, (0, 6, 9))))
    data = SpokenStrings(split="published")
    found = data.read()
    assert set(found["train"]) == set(found["val"]) == set(found["test"]) == set(VOICES)
    assert all(len(found[split]["anna"][3]) == 1 for split in found)


def test_overlaps_shorten_a_string_and_speed_changes_training_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart, together = (ready(tmp_path, monkeypatch, pause=p, longest=3) for p in ((0.1, 0.1), (-0.1, -0.1)))
    assert float((apart.splits["val"][1] - together.splits["val"][1]).min()) > 0.3 * 8000
    fast = ready(tmp_path, monkeypatch, speed=0.3, num_train=1, longest=3)
    ratio = pitches(fast.splits["train"][0][0].numpy())[0] / (300 * int(fast.splits["train"][2][0, 0]) + VOICES["anna"])
    assert abs(ratio - 1) > 0.02


def test_a_missing_digit_and_missing_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(fill(tmp_path)))
    for path in tmp_path.glob("free-spoken-digit-dataset/recordings/4_theo_*.wav"):
        path.unlink()
    with pytest.raises(UserError, match="test split has no recording of digit 4 by theo"):
        SpokenStrings().setup("fit")
    monkeypatch.setenv("DIVE_DATA", str(tmp_path / "none"))
    with pytest.raises(UserError, match="no spoken digits"):
        SpokenStrings().setup("fit")
