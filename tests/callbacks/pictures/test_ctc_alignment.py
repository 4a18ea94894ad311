"""The picture of a sound's spectrogram and the probabilities of its characters."""

from pathlib import Path

import numpy as np

from callbacks.pictures.ctc_alignment import CTCAlignment, draw_ctc, peaks
from datamodules.audio.key_strings import KeyStrings
from lit_models.rnn.speech import LitSpeech
from tests.small import small_trainer


def test_a_picture_is_written_after_the_test(tmp_path: Path) -> None:
    data = KeyStrings(longest=4, num_train=4, num_eval=4)
    model = LitSpeech(num_classes=16, hidden_size=4, num_layers=1)
    small_trainer(tmp_path, CTCAlignment(2)).test(model, datamodule=data, verbose=False)
    assert (tmp_path / "ctc_alignment.png").stat().st_size > 10_000


def test_a_character_is_written_above_each_of_its_peaks() -> None:
    p = np.full((10, 3), 0.02)
    p[:, 0] = 0.9
    p[[2, 6], 1], p[4, 2] = 0.8, 0.5
    assert peaks(p[:, 1]) == [2, 6] and peaks(np.array([0.3, 0.9, 0.0, 0.25])) == [1, 3]
    figure = draw_ctc([("a$a", 1.0, np.zeros((20, 4)), p)], ["a", "$"])
    above, below = figure.axes
    assert above.get_title() == r"a\$a"
    marks = sorted((round(text.get_position()[0], 2), text.get_text()) for text in below.texts)
    assert marks == [(0.25, "a"), (0.45, r"\$"), (0.65, "a")]


def test_what_is_behind_a_shorter_sound_is_not_shown() -> None:
    p = np.tile([0.1, 0.9], (10, 1))
    figure = draw_ctc([("a", 0.5, np.zeros((10, 4)), p), ("b", 1.0, np.zeros((10, 4)), p)], ["a"])
    assert figure.axes[0].get_xlim() == (0, 0.5) and figure.axes[1].get_xlim() == (0, 1.0)
