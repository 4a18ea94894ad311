"""The table of transcripts."""

import csv
from pathlib import Path
from typing import Any

from torch import Tensor

from callbacks.predictions import Predictions
from callbacks.transcripts import Transcripts
from common.transcription import Heard, Transcript
from datamodules.audio.key_strings import KeyStrings
from lit_models.rnn.speech import LitSpeech
from tests.small import small_trainer


class Fixed(LitSpeech):
    """Hears ``1`` and ``0`` in each sound."""

    def predict_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> list[Transcript]:
        heard = (Heard(1, 0.04, 0.08, 0.9), Heard(14, 0.2, 0.24, 0.8))
        return [Transcript(heard, 0.7)] * (len(batch[0]) - 1) + [Transcript((), 0.25)]


def test_a_row_has_the_text_its_probability_and_the_times(tmp_path: Path) -> None:
    data = KeyStrings(longest=4, num_train=4, num_eval=4)
    data.predict_names = ["a.wav", "b.wav", "c.wav", "d.wav"]
    sizes: dict[str, Any] = {"num_classes": 16, "hidden_size": 4, "num_layers": 1}
    out = tmp_path / "out.csv"
    small_trainer(tmp_path, Predictions(str(tmp_path / "no.csv")), Transcripts(str(out))).predict(
        Fixed(**sizes), datamodule=data
    )
    rows = list(csv.reader(out.open(encoding="utf-8")))
    assert rows[0] == ["name", "text", "confidence", "begin", "end", "confidences"]
    assert rows[1] == ["a.wav", "10", "0.7", "0.04 0.20", "0.08 0.24", "0.900 0.800"]
    assert rows[4] == ["d.wav", "", "0.25", "", "", ""] and len(rows) == 5
    assert not (tmp_path / "no.csv").exists()
