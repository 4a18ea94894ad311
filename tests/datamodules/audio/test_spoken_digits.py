"""Spoken digits in their published layout: both splits, and the message when the files are missing."""

from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.audio.spoken_digits import SPEAKERS, SpokenDigits
from tests.datamodules.audio.sounds import corrupt, sing


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine recordings of two digits by each speaker; digit d of speaker s is a tone of its own."""
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    folder = tmp_path / "free-spoken-digit-dataset" / "recordings"
    for s, speaker in enumerate(SPEAKERS):
        for digit in (3, 7):
            for index in range(9):
                sing(folder / f"{digit}_{speaker}_{index}.wav", 200 + 100 * s + 20 * digit + index, 0.05)
    return folder


def ready(**arguments: object) -> SpokenDigits:
    data = SpokenDigits(num_samples=400, **arguments)  # type: ignore[arg-type]
    data.setup("fit")
    data.setup("test")
    return data


def rows(data: SpokenDigits, split: str) -> set[bytes]:
    return {row.numpy().tobytes() for row in data.splits[split][0]}


def test_split_by_speaker_keeps_whole_voices_apart(recordings: Path) -> None:
    data = ready()
    assert {s: len(data.splits[s][0]) for s in ("train", "val", "test")} == {"train": 72, "val": 18, "test": 18}
    theo = ready(test_speakers=["theo"], val_speakers=["george"])
    assert rows(theo, "test") == rows(data, "test") and rows(theo, "val") != rows(data, "val")
    assert not rows(data, "test") & (rows(data, "train") | rows(data, "val"))
    assert sorted(data.splits["test"][1].unique().tolist()) == [3, 7]


def test_published_split_has_the_first_five_recordings_as_test(recordings: Path) -> None:
    data = ready(split="published")
    assert {s: len(data.splits[s][0]) for s in ("train", "val", "test")} == {"train": 12, "val": 36, "test": 60}


def test_without_files_it_says_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIVE_DATA", str(tmp_path))
    with pytest.raises(UserError, match=r"git clone .*Jakobovski/free-spoken-digit-dataset"):
        SpokenDigits().setup("fit")


def test_a_damaged_recording_is_named(recordings: Path) -> None:
    corrupt(recordings / "3_theo_4.wav")
    with pytest.raises(UserError, match=r"3_theo_4\.wav cannot be read"):
        ready()


def test_unknown_and_doubled_speakers_are_refused(recordings: Path) -> None:
    with pytest.raises(UserError, match=r"no recordings of 'anna' .* george"):
        ready(test_speakers=["anna"])
    with pytest.raises(UserError, match="both name theo"):
        SpokenDigits(val_speakers=["theo"])


@pytest.mark.realdata
def test_published_files_are_ten_digits_by_six_speakers() -> None:
    data = SpokenDigits()
    data.setup("fit")
    x, y = data.splits["train"]
    assert len(y.bincount()) == 10 and y.bincount().unique().numel() == 1
    assert len(x) == 4 * len(data.splits["test"][0]) and x.dtype == torch.int16
