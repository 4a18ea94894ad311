"""A folder of sounds with transcripts: what is read, how it is split, and the one line for each mistake."""

from pathlib import Path

import pytest
import torch

from common.messages import UserError
from datamodules.audio.speech_folder import SpeechFolder
from tests.datamodules.audio.sounds import corrupt, sing


def folder(root: Path, count: int = 10) -> Path:
    lines = []
    for n in range(count):
        sing(
            root / f"{n:02d}.wav", 400.0, 0.1 + 0.01 * n, rate=(8000, 16000)[n % 5 == 4], kind=("int16", "uint8")[n % 2]
        )
        lines.append(f"{n:02d}.wav {n}{n % 3}")
    (root / "transcripts.txt").write_text("\n".join(lines) + "\n")
    return root


def test_sounds_of_any_rate_and_width_are_read_with_their_texts(tmp_path: Path) -> None:
    data = SpeechFolder(str(folder(tmp_path)))
    assert data.num_classes == 10 and data.sample_rate == 8000
    data.setup("fit")
    data.setup("test")
    assert {name: len(split[0]) for name, split in data.splits.items()} == {"train": 6, "val": 2, "test": 2}
    for split, names in data.utterance_names.items():
        sounds, lengths, targets = data.splits[split]
        for row, name in enumerate(names):
            n = int(Path(name).stem)
            assert data.decode_target(targets[row : row + 1]) == [f"{n}{n % 3}"]
            assert int(lengths[row]) == round(800 + 80 * n) and sounds[row].abs().max() > 15000
    assert "characters '0123456789'" in data.summary()


def test_folders_are_splits_and_tabs_allow_spaces(tmp_path: Path) -> None:
    for name in ("train/a b.wav", "val/c.wav", "test/d.wav"):
        sing(tmp_path / name)
    (tmp_path / "transcripts.txt").write_text("train/a b.wav\t1 2\nval/c.wav\t1\n\ntest/d.wav\t2\n")
    data = SpeechFolder(str(tmp_path))
    data.setup("fit")
    assert data.class_names == [" ", "1", "2"]
    assert data.splits["train"][2].tolist() == [[2, 1, 3]] and data.splits["val"][2].tolist() == [[2]]


def test_validation_is_drawn_from_train_where_it_has_no_folder(tmp_path: Path) -> None:
    names = ["train/a.wav", "train/b.wav", "train/c.wav", "test/d.wav"]
    for name in names:
        sing(tmp_path / name)
    (tmp_path / "transcripts.txt").write_text("".join(f"{name}\t{n}\n" for n, name in enumerate(names)))
    data = SpeechFolder(str(tmp_path))
    data.setup("fit")
    assert {name: len(split[0]) for name, split in data.splits.items()} == {"train": 2, "val": 1, "test": 1}
    assert data.utterance_names["test"] == [str(tmp_path / "test/d.wav")]


def test_transcripts_of_another_encoding_are_one_line(tmp_path: Path) -> None:
    folder(tmp_path, 3)
    (tmp_path / "transcripts.txt").write_bytes("00.wav\tzwölf\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"transcripts.txt is not UTF-8 text: byte 0xf6 at offset 9; save it as UTF-8"):
        SpeechFolder(str(tmp_path))
    (tmp_path / "transcripts.txt").write_text("00.wav\tzwölf\r\n01.wav\t1\r\n", encoding="utf-16", newline="")
    assert SpeechFolder(str(tmp_path)).num_classes == 6


def test_a_folder_to_transcribe_needs_no_texts(tmp_path: Path) -> None:
    sing(tmp_path / "b.wav"), sing(tmp_path / "a.wav", seconds=0.1)
    corrupt(sing(tmp_path / "c.wav"))
    data = SpeechFolder(str(tmp_path), num_classes=3, sample_rate=8000)
    data.setup("predict")
    assert data.predict_names == ["a.wav", "b.wav"]
    assert torch.equal(data.splits["predict"][1], torch.tensor([800, 1600]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("00.wav 1\n01.wav\n", r"transcripts.txt, line 2: 01.wav has no text"),
        ("00.wav 1\n\nxx.wav 12\n", r"transcripts.txt, line 3: there is no file .*xx.wav: correct its name, or take"),
        ("00.wav 1\nmy sound.wav 12\n", "line 2: there is no file .*my: .* there must be a tab"),
        ("00.wav 1\n00.wav 2\n", r"line 2: 00.wav has a text in line 1 already"),
        ("", "has no line"),
        ("00.wav 1\nbad.wav 2\n", "line 2: bad.wav cannot be read"),
        ("00.wav 1\nempty.wav 2\n", r"line 2: empty.wav cannot be read \(it has no samples\)"),
    ],
)
def test_each_mistake_in_the_transcripts_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    folder(tmp_path, 3)
    corrupt(sing(tmp_path / "bad.wav"))
    sing(tmp_path / "empty.wav", seconds=0)
    (tmp_path / "transcripts.txt").write_text(text)
    with pytest.raises(UserError, match=says):
        SpeechFolder(str(tmp_path)).setup("fit")


def test_a_character_that_the_model_does_not_know_is_named_with_its_line(tmp_path: Path) -> None:
    folder(tmp_path, 3)
    (tmp_path / "transcripts.txt").write_text("00.wav 1\n01.wav 17\n")
    data = SpeechFolder(str(tmp_path))
    data.load_processor({"class_names": ["1", "2"]})
    with pytest.raises(UserError, match=r"transcripts.txt, line 2: '7' in '17' is none of the characters '12'"):
        data.setup("fit")


def test_no_folder_and_no_sounds_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data.root is not given"):
        SpeechFolder()
    with pytest.raises(UserError, match=r"no .*transcripts.txt"):
        SpeechFolder(str(tmp_path))
    data = SpeechFolder(str(tmp_path), num_classes=3, sample_rate=8000)
    with pytest.raises(UserError, match="has no sound that can be read"):
        data.setup("predict")


def test_a_sound_to_which_all_others_would_be_padded_beyond_the_memory_is_named(tmp_path: Path) -> None:
    folder(tmp_path, 20)
    sing(tmp_path / "05.wav", seconds=30)
    says = r"05.wav has 30.0 s, to which all 14 sounds would be padded: 7 MB; cut it into shorter ones, or raise data"
    with pytest.raises(UserError, match=says):
        SpeechFolder(str(tmp_path), memory_limit_mb=5).setup("fit")
    data = SpeechFolder(str(tmp_path), num_classes=10, sample_rate=8000, memory_limit_mb=5)
    with pytest.raises(UserError, match=r"05.wav has 30.0 s, to which all 20 sounds"):
        data.setup("predict")
