"""``predictions.csv`` of sounds: a row for each, with the text, its probability, and when each character was heard."""

import csv
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer

from callbacks.prediction_files import PredictionFiles
from callbacks.ranks import gather
from common.data_protocol import data_attribute
from common.transcription import Transcript


class Transcripts(PredictionFiles):
    """Writes the ``Transcript`` of each sound that ``predict_step`` returned, with the names of ``predict_names``.

    ``begin``, ``end`` and ``confidences`` have a number for each character, in the order of the text.

    Args:
        out: See ``PredictionFiles``.
    """

    def __init__(self, out: str = "") -> None:
        super().__init__(out)
        self.found: list[Transcript] = []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.found += outputs

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        found, self.found = self.found, []
        ranks = gather(trainer, found)  # each has every world-th sound
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        count = sum(map(len, ranks))
        every = [ranks[i % len(ranks)][i // len(ranks)] for i in range(count)]
        names = data_attribute(trainer, "predict_names") or list(range(count))
        path = self.path(trainer)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            writer.writerows(row_of(str(name), one, trainer) for name, one in zip(names, every, strict=False))
        print(f"{count} transcripts in {path}")


HEADER = ["name", "text", "confidence", "begin", "end", "confidences"]


def row_of(name: str, transcript: Transcript, trainer: Trainer) -> list[str]:
    """The cells of a sound."""
    decode = data_attribute(trainer, "decode_target")
    labels = torch.tensor([transcript.labels], dtype=torch.int64)
    text = decode(labels)[0] if decode else " ".join(map(str, transcript.labels))
    times = [" ".join(f"{getattr(one, side):.2f}" for one in transcript.heard) for side in ("begin", "end")]
    sure = " ".join(f"{one.confidence:.3f}" for one in transcript.heard)
    return [name, text, f"{transcript.confidence:.4g}", *times, sure]
