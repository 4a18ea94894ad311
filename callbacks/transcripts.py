"""``predictions.csv`` of sounds: a row for each, with the text, its probability, and when each character was heard."""

import csv
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from callbacks.prediction_files import RowPredictions
from common.data_protocol import data_attribute
from common.transcription import Transcript


class Transcripts(RowPredictions):
    """Writes the ``Transcript`` of each sound that ``predict_step`` returned, with the names of ``predict_names``.

    ``begin``, ``end`` and ``confidences`` have a number for each character, in the order of the text.
    """

    def write(self, trainer: Trainer, file: Path, names: list[str], found: list[Any]) -> None:
        with open(file, "w", newline="", encoding="utf-8") as sheet:
            writer = csv.writer(sheet)
            writer.writerow(HEADER)
            writer.writerows(row_of(str(name), one, trainer) for name, one in zip(names, found, strict=False))
        print(f"{len(found)} transcripts in {file}")


HEADER = ["name", "text", "confidence", "begin", "end", "confidences"]


def row_of(name: str, transcript: Transcript, trainer: Trainer) -> list[str]:
    """The cells of a sound."""
    decode = data_attribute(trainer, "decode_target")
    labels = torch.tensor([transcript.labels], dtype=torch.int64)
    text = decode(labels)[0] if decode else " ".join(map(str, transcript.labels))
    times = [" ".join(f"{getattr(one, side):.2f}" for one in transcript.heard) for side in ("begin", "end")]
    sure = " ".join(f"{one.confidence:.3f}" for one in transcript.heard)
    return [name, text, f"{transcript.confidence:.4g}", *times, sure]
