"""Your own sounds: sizes that are found, splits, errors; end to end."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from common.messages import UserError
from datamodules.audio.audio_folder import AudioFolder, cut
from scripts.cli import main
from tests.datamodules.audio.sounds import PITCH, corrupt, fill, sing


def ready(root: Path, **arguments: Any) -> AudioFolder:
    data = AudioFolder(str(root), **arguments)
    data.setup("fit")
    data.setup("test")
    return data


def test_sizes_are_found_from_names_and_headers(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    assert AudioFolder.infer(str(tmp_path)) == {"num_classes": 2, "num_samples": 1570, "sample_rate": 8000}
    assert AudioFolder.infer(str(tmp_path), sample_rate=4000)["num_samples"] == 785
    sing(tmp_path / "low" / "long.wav", seconds=30)
    assert AudioFolder.infer(str(tmp_path))["num_samples"] < 2000  # one long sound does not make all of them long


def test_high_rates_are_lowered_and_long_sounds_cut(tmp_path: Path) -> None:
    for name in PITCH:
        for i in range(3):
            sing(tmp_path / name / f"{i}.wav", seconds=5, rate=48000)
    assert AudioFolder.infer(str(tmp_path)) == {"num_classes": 2, "num_samples": 64000, "sample_rate": 16000}


def test_split_is_stratified_and_fixed(tmp_path: Path) -> None:
    data = ready(fill(tmp_path, 20))
    for split, count in (("train", 14), ("val", 3), ("test", 3)):
        assert data.splits[split][1].bincount().tolist() == [count, count]
    assert torch.equal(data.splits["train"][0], ready(tmp_path).splits["train"][0])
    assert data.class_names == ["high", "low"]


def test_split_folders_are_used_as_splits(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("val", 2), ("test", 1)):
        fill(tmp_path / split, count)
    assert [len(ready(tmp_path).splits[s][0]) for s in ("train", "val", "test")] == [8, 4, 2]


def test_unreadable_sounds_are_left_out_with_one_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, 10)
    corrupt(tmp_path / "low" / "03.wav")
    data = AudioFolder(str(tmp_path), test_fraction=0)
    data.setup("fit")
    assert len(data.splits["train"][0]) + len(data.splits["val"][0]) == 19
    notes = [line for line in capsys.readouterr().err.splitlines() if "cannot be read" in line]
    assert len(notes) == 1 and "1 of 20 sounds" in notes[0] and "low/03.wav" in notes[0]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda root: None, "has no sounds"),
        (lambda root: sing(root / "a.wav"), "no class folders; put its sounds"),
        (lambda root: fill(root, 3, {"only": 300}), "one class folder, 'only'"),
        (lambda root: sing(fill(root, 4) / "rare" / "a.wav"), "class 'rare' has 1 sounds"),
        (lambda root: [corrupt(p) for p in fill(root, 4).rglob("*.wav")], "none of its 8 sounds can be read"),
        (
            lambda root: [corrupt(p) for p in (fill(root, 6) / "low").glob("*.wav")],
            "no sound of class 'low' can be read",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path, build: Any, message: str) -> None:
    root = tmp_path / "sounds"
    root.mkdir()
    build(root)
    with pytest.raises(UserError, match=message) as error:
        ready(root)
    assert "\n" not in str(error.value)


def test_a_set_of_which_more_than_half_cannot_be_read_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    for path in sorted(tmp_path.rglob("*.wav"))[1:15]:
        corrupt(path)
    with pytest.raises(UserError, match=r"cannot be read, such as high/0"):
        ready(tmp_path)


def test_predicts_a_flat_folder_after_the_training_folder_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, new = fill(tmp_path / "train_set", 12), tmp_path / "new"
    fit = ["fit", "audio/mel_cnn", "--data", "AudioFolder", "--data.root", str(root), "--data.batch_size", "8"]
    assert main([*fit, "--trainer.max_epochs", "6", "--model.n_fft", "256", "--model.n_mels", "40"]) == 0
    shutil.rmtree(root)
    sing(new / "a.wav", 305, 0.3)
    sing(new / "deep" / "b.wav", 1980, rate=44100)
    corrupt(sing(new / "c.wav"))
    assert main(["predict", "audio/mel_cnn", "--data.root", str(new)]) == 0
    assert "c.wav" in capsys.readouterr().err
    (path,) = (tmp_path / "runs").glob("**/predictions.csv")
    rows = list(csv.DictReader(path.open()))
    assert [(row["name"], row["label"]) for row in rows] == [("a.wav", "low"), ("deep/b.wav", "high")]
    (record,) = (tmp_path / "runs").glob("**/processor.json")
    kept = json.loads(record.read_text())
    assert kept.pop("file")["path"] == str(root)
    assert kept == {"class_names": ["high", "low"], "num_samples": 1600, "sample_rate": 8000}


def test_an_error_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--data.root", str(tmp_path / "nowhere")]):
        assert main(["fit", "audio/mel_cnn", "--data", "AudioFolder", *more]) == 2
        assert "--data.root" in capsys.readouterr().err.splitlines()[-1]


def test_sounds_in_other_formats_are_counted_and_named_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, 10)
    for i in range(3):
        (tmp_path / "low" / f"memo{i}.m4a").write_bytes(b"x")
    ready(tmp_path)
    assert "3 files cannot be read as sounds (.m4a 3), such as low/memo0.m4a" in capsys.readouterr().err
    for path in (tmp_path / "high").glob("*"):
        path.unlink()
    (tmp_path / "high" / "a.m4a").write_bytes(b"x")
    with pytest.raises(UserError, match=r"high has no sounds: 1 file cannot be read as sounds .*save them as WAV"):
        ready(tmp_path)


def test_how_many_sounds_are_cut_is_said(tmp_path: Path) -> None:
    for name in PITCH:
        for i in range(5):
            sing(tmp_path / name / f"{i}.wav", seconds=5 if i else 0.5)
    data = AudioFolder(str(tmp_path), test_fraction=0)
    data.setup("fit")
    said = data.summary()
    assert "train 8, val 2 sounds; 2 classes (high 5, low 5); 4 s each (32,000 samples at 8,000 Hz)" in said
    assert "8 of 10 are longer, up to 5 s: their middle is used, --data.num_samples 40000 takes all" in said
    assert "are shorter than half of that" in said


def test_of_a_long_sound_there_are_windows_over_all_of_it(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 1000, dtype=np.float32)
    assert cut(ramp, 1000, 8).shape == (1, 1000) and cut(ramp, 400, 1).shape == (1, 400)
    three = cut(ramp, 400, 8)
    assert three.shape == (3, 400) and three[0, 0] == 0 and three[2, -1] == 32767 and 300 <= three[1, 0] / 32.767 <= 301
    assert cut(ramp, 100, 4).shape == (4, 100)
    for name in PITCH:
        for i in range(10):
            sing(tmp_path / name / f"{i}.wav", seconds=0.5 if i else 0.2)
    data = ready(tmp_path, num_samples=1600, windows=3)
    x, y = data.splits["train"]
    assert len(x) == len(y) > data.counts()["train"] == 12 and x.shape[1:] == (1600,)
    tested, classes = data.splits["test"]
    assert tested.shape == (4, 3, 1600) and len(classes) == 4 and sum(data.class_counts().values()) == 20
    middle = ready(tmp_path, num_samples=1600, windows=1)
    assert middle.splits["test"][0].shape == (4, 1600) and "their middle is used" in middle.summary()
    with pytest.raises(UserError, match=r"data\.windows is 0"):
        AudioFolder(str(tmp_path), windows=0)


def test_a_run_of_few_steps_says_that_it_barely_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "sounds", 6)
    fit = ["fit", "audio/mel_cnn", "--data", "AudioFolder", "--data.root", str(tmp_path / "sounds")]
    assert main([*fit, "--trainer.max_epochs", "2", "--model.channels", "[4]"]) == 0
    assert "the run has 2 optimizer steps in all, which barely trains a network" in capsys.readouterr().err
    assert main(["test", "audio/mel_cnn"]) == 0
    assert "barely" not in capsys.readouterr().err


def test_a_test_folder_of_its_own_is_tested_whole(tmp_path: Path) -> None:
    data = AudioFolder(str(fill(tmp_path / "a", 10)), test_root=str(fill(tmp_path / "b", 7)))
    data.setup("fit")
    data.setup("test")
    assert [len(data.splits[name][1]) for name in ("train", "val", "test")] == [16, 4, 14]


def test_another_folder_than_the_runs_is_tested_whole(tmp_path: Path) -> None:
    run = ready(fill(tmp_path / "a", 10))
    for root, count in ((fill(tmp_path / "b", 7), 14), (tmp_path / "a", 4)):
        data = AudioFolder(str(root))
        data.load_processor(run.processor())
        data.setup("test")
        assert len(data.splits["test"][1]) == count and data.other_file == (count == 14)
