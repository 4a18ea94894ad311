"""``predictions.csv`` of questions: the best answer of each, its probability, and the next best ones.

With questions that have no answers yet:

    dive predict bert/question_answering --data.path new.json --out FILE

The file has a row for each question.
"""

import csv
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.prediction_files import PredictionFiles
from callbacks.ranks import gather
from common.data_protocol import data_attribute


class AnswerFiles(PredictionFiles):
    """Writes what the model's ``answers`` makes of the windows of all processes: a row for each question.

    Args:
        out: See ``PredictionFiles``.
    """

    def __init__(self, out: str = "") -> None:
        super().__init__(out)
        self.parts: list[Tensor] = []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.parts.append(outputs.detach().cpu())

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        parts, self.parts = self.parts, []
        ranks = gather(trainer, torch.cat(parts) if parts else None)
        rows = [rank for rank in ranks if rank is not None]
        if not rows or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        found = pl_module.answers("predict", torch.cat(rows))  # type: ignore[operator]
        names: list[str] | None = data_attribute(trainer, "predict_names")
        cells: dict[str, list[Any]] = data_attribute(trainer, "predict_cells", {})
        path = self.path(trainer)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["name", *cells, "answer", "probability", "others"])
            for asked, best in found.items():
                others = "; ".join(f"{text or '(no answer)'} {p:.3f}" for text, p in best[1:])
                row = [column[asked] for column in cells.values()]
                writer.writerow([names[asked] if names else asked, *row, best[0][0], f"{best[0][1]:.6g}", others])
        print(f"answers to {len(found)} questions in {path}")
