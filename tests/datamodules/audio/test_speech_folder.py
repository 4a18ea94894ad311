"""A folder of sounds with transcripts: what is read, how it is split, and the one line for each mistake."""

from pathlib import Path
from typing import Any

import pytest
import torch

from common.messages import UserError
from datamodules.audio.speech_folder import SpeechFolder
from tests.datamodules.audio.sounds import corrupt, sing
from tests.datamodules.test_run_file import rows


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


def test_another_folder_is_tested_whole_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    sizes: Any = {"num_classes": 10, "sample_rate": 8000}
    data = SpeechFolder(str(folder(tmp_path / "a")))
    data.setup("fit")
    run = data.processor()
    assert rows(SpeechFolder(str(tmp_path / "a"), **sizes), run) == {"test": 2}
    other = SpeechFolder(str(folder(tmp_path / "b", 7)), **sizes)
    assert rows(other, run) == {"test": 7} and "not the folder of the run: all of it" in other.summary()
    assert rows(SpeechFolder(str(tmp_path / "b"), **sizes), run, "validate") == {"val": 7}
    assert rows(SpeechFolder(str(tmp_path / "b"), **sizes), run, "predict") == {}
    text = (tmp_path / "a" / "transcripts.txt").read_text()
    (tmp_path / "a" / "transcripts.txt").write_text("\n" + text.replace("00.wav 00", "00.wav 01"))
    with pytest.raises(UserError, match=r"a: texts, names or sizes of its sounds changed since.*give --data.root with"):
        rows(SpeechFolder(str(tmp_path / "a"), **sizes), run)
    (tmp_path / "a" / "transcripts.txt").write_text("\n" + text)
    assert rows(SpeechFolder(str(tmp_path / "a"), **sizes), run) == {"test": 2}


def test_a_folder_with_a_test_folder_may_change_and_of_another_it_is_tested(tmp_path: Path) -> None:
    def make(root: Path, tested: int) -> SpeechFolder:
        names = [f"{split}/{n}.wav" for split, count in (("train", 4), ("test", tested)) for n in range(count)]
        for name in names:
            sing(root / name)
        (root / "transcripts.txt").write_text("".join(f"{name}\t1\n" for name in names))
        return SpeechFolder(str(root), num_classes=1, sample_rate=8000)

    data = make(tmp_path / "a", 2)
    data.setup("fit")
    again = make(tmp_path / "a", 3)
    assert rows(again, data.processor()) == {"test": 3} and not again.other_file
    other = make(tmp_path / "b", 5)
    assert rows(other, data.processor()) == {"test": 5} and "its test folder" in other.summary()
    with pytest.raises(UserError, match="a: texts, names or sizes of its sounds changed"):  # validation is drawn
        rows(make(tmp_path / "a", 3), data.processor(), "validate")
