"""`dive transcribe` and `dive predict` on a run of speech: files, folders, streams, and one line for each mistake."""

import csv
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from scipy.signal import resample_poly

from datamodules.audio.key_strings import KeyStrings
from lit_models.rnn.speech import LitSpeech
from lit_models.rnn.transducer import LitTransducer
from scripts.cli import main
from scripts.front.runs import newest_run
from scripts.verbs import transcribe
from scripts.verbs.transcribe import heard_in
from tests.datamodules.audio.sounds import corrupt, sing

SIZES = ["--data.num_train", "16", "--data.num_eval", "8", "--data.longest", "4", "--data.snr", "[20.0]"]
SIZES += ["--data.batch_size", "8", "--model.hidden_size", "16", "--model.n_mels", "32", "--model.num_layers", "1"]


def fit(recipe: str, *words: str) -> Path:
    assert main(["fit", recipe, *SIZES, *words]) == 0
    return newest_run(recipe).resolve()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one direction after one step: it hears anything, which is what is compared here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIVE_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.delenv("DIVE_RUN_DIR", raising=False)
        return fit("rnn/speech_stream", "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1")


@pytest.fixture(scope="module")
def strings() -> list[np.ndarray]:
    """Strings of keys as int16 at 8 kHz."""
    data = KeyStrings(snr=[20.0], longest=4, num_train=4, num_eval=4)
    return [
        data.dial(np.array(keys), 20.0, np.random.default_rng(n)) for n, keys in enumerate([[0, 5, 10], [3, 3, 14]])
    ]


def text_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["transcribe", *words]) == 0
    return capsys.readouterr().out


class Stdin:
    """Standard input of bytes that come in pieces."""

    def __init__(self, data: bytes, size: int = 999) -> None:
        self.buffer: Any = self
        self.file, self.size = io.BytesIO(data), size

    def read1(self, most: int) -> bytes:
        return self.file.read(min(most, self.size))


def test_a_stream_is_heard_as_its_file(
    run: Path,
    strings: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also at another rate, width and number of channels."""
    wavfile.write(tmp_path / "a.wav", 8000, strings[0])
    text = text_of(capsys, "--run", str(run), "--file", str(tmp_path / "a.wav")).strip()
    assert text and set(text) <= set("123A456B789C*0#D")
    monkeypatch.setattr(sys, "stdin", Stdin(strings[0].tobytes()))
    assert text_of(capsys, "--run", str(run), "--stream").strip() == text
    louder = resample_poly(strings[0].astype(float), 2, 1)
    wide = np.stack([louder, louder], 1) / 40000
    wavfile.write(tmp_path / "b.wav", 16000, wide.astype("<f4"))
    other = text_of(capsys, "--run", str(run), "--file", str(tmp_path / "b.wav")).strip()
    monkeypatch.setattr(sys, "stdin", Stdin(wide.astype("<f4").tobytes(), 1001))
    options = ["--format", "f32le", "--rate", "16000", "--channels", "2"]
    assert text_of(capsys, "--run", str(run), "--stream", *options).strip() == other
    assert main(["transcribe", "--run", str(run), "--file", str(tmp_path), "--times"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{tmp_path / 'a.wav'}\t{text}" and len(lines) == 2 + len(text) + len(other)


def test_predict_writes_a_row_for_each_sound_of_a_folder(
    run: Path, strings: list[np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n, sound in enumerate(strings):
        wavfile.write(tmp_path / f"{n}.wav", 8000, sound)
    text = text_of(capsys, "--run", str(run), "--file", str(tmp_path / "1.wav")).strip()
    words = ["--data", "SpeechFolder", "--data.root", str(tmp_path), "--out", str(tmp_path / "out.csv")]
    assert main(["predict", "--run", str(run), *words]) == 0
    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8")))
    assert [row["name"] for row in rows] == ["0.wav", "1.wav"] and rows[1]["text"] == text
    assert len(rows[1]["begin"].split()) == len(text) and 0 <= float(rows[1]["confidence"]) <= 1


def test_own_sounds_with_transcripts_are_learned_and_tested(
    strings: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    lines = []
    for n in range(12):
        wavfile.write(tmp_path / f"{n}.wav", 8000, strings[n % 2])
        lines.append(f"{n}.wav {('16C', 'AA#')[n % 2]}\n")
    (tmp_path / "transcripts.txt").write_text("".join(lines))
    words = [
        "--data",
        "SpeechFolder",
        "--data.root",
        str(tmp_path),
        "--data.batch_size",
        "4",
        "--trainer.max_epochs",
        "1",
    ]
    assert main(["fit", "rnn/speech", *words, "--model.hidden_size", "8"]) == 0
    assert "5 characters" not in capsys.readouterr().out
    assert main(["test", "rnn/speech"]) == 0
    assert "characters '#16AC'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "give --file SOUND, or --stream"),
        (["--file", "nowhere.wav"], "no file nowhere.wav"),
        (["--file", "bad.wav"], "bad.wav cannot be read"),
        (["--file", "empty"], "empty has no sound files"),
        (["--file", "none.wav"], "none.wav cannot be read: it has no samples"),
        (["--stream", "--format", "mp3"], "invalid choice"),
        (["--stream", "--channels", "0"], "--channels 0"),
        (["--stream"], "no sound came from the standard input"),
    ],
)
def test_a_mistake_is_one_line(
    run: Path,
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", Stdin(b""))
    (tmp_path / "empty").mkdir()
    corrupt(sing(tmp_path / "bad.wav")), sing(tmp_path / "none.wav", seconds=0)
    capsys.readouterr()
    assert main(["transcribe", "--run", str(run), *words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert says in lines[-1] and lines[-1].startswith("dive: ") and len(lines) == 1


def test_a_stereo_stream_that_is_declared_mono_is_refused(
    run: Path, strings: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(np.repeat(strings[0], 2).tobytes()))
    assert main(["transcribe", "--run", str(run), "--stream"]) == 2
    assert "give --channels 2" in capsys.readouterr().err


def test_a_file_that_is_sent_as_a_stream_is_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its header would be heard as sound, at a rate that may be another."""
    monkeypatch.setattr(sys, "stdin", Stdin(b"RIFF" + bytes(400), 3))
    assert main(["transcribe", "--run", str(run), "--stream"]) == 2
    assert "give it with --file, or send raw samples" in capsys.readouterr().err


def test_a_model_of_both_directions_or_of_another_kind_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(sys, "stdin", Stdin(b"\0\0"))
    both = fit("rnn/speech", "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1")
    assert main(["transcribe", "--run", str(both), "--stream"]) == 2
    assert "need the end of a sound first" in capsys.readouterr().err
    assert main(["transcribe", "--file", "x.wav"]) == 2
    assert "which recipe?" in capsys.readouterr().err


def test_a_long_sound_is_searched_as_a_short_one_or_that_it_is_not_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"num_classes": 3, "n_mels": 8, "hop": 400, "hidden_size": 6, "num_layers": 1}
    model = LitSpeech(bidirectional=False, lookahead=2, beam_width=3, bonus=20.0, lm_order=0, **sizes).eval()
    wavfile.write(tmp_path / "a.wav", 8000, np.random.default_rng(0).normal(0, 0.1, 100_001).astype("<f4"))
    file = str(tmp_path / "a.wav")
    short = heard_in(model, file)
    monkeypatch.setattr(transcribe, "LONG", 5.0)
    long = heard_in(model, file)  # in two pieces
    assert len(short) > 50 and [one[:3] for one in long] == [one[:3] for one in short]
    assert not capsys.readouterr().err
    monkeypatch.setattr(transcribe, "SEARCHED", 6.0)
    assert len(heard_in(model, file)) < len(short)
    assert "longer than 6 s: decoded by the best path" in capsys.readouterr().err


@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_transducer_hears_a_long_sound(bidirectional: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"num_classes": 3, "n_mels": 8, "hop": 400, "hidden_size": 6, "num_layers": 1}
    model = LitTransducer(bidirectional=bidirectional, **sizes).eval()
    wavfile.write(tmp_path / "a.wav", 8000, np.random.default_rng(0).normal(0, 0.1, 8000).astype("<f4"))
    short = heard_in(model, str(tmp_path / "a.wav"))
    monkeypatch.setattr(transcribe, "LONG", 0.5)
    assert [one.label for one in heard_in(model, str(tmp_path / "a.wav"))] == [one.label for one in short]
