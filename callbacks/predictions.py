"""``predictions.csv``: one row for each sample of the predict split, in its order, over all ranks.

dive predict RECIPE --data.path new.csv --out FILE
"""

import csv
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from callbacks.prediction_files import PredictionFiles
from callbacks.ranks import concatenate, gather, interleave
from common.data_protocol import data_attribute


class Predictions(PredictionFiles):
    """Writes what ``predict_step`` returns, a dict of tensors (B,) or (B, K), as columns.

    ``label`` is written as its class name and ``probabilities`` as one column per class, where the datamodule names its
    classes (``class_names``); ``clips`` (B, N, K), the probabilities of N parts of a video, as N columns of the most
    probable class; ``target``, the ids of generated texts, becomes one column of texts by ``decode_target``. The first
    column is the sample's name (``predict_names``) or its number; the cells of a table (``predict_cells``, heading to
    cells) are repeated beside the prediction, which is in the target's units (``in_units``). A prediction whose heading
    the table already has gets the heading ``predicted ...``. A forecast has one row for each step (``predict_steps``).

    Args:
        out: See ``PredictionFiles``.
    """

    def __init__(self, out: str = "") -> None:
        super().__init__(out)
        self.parts: list[dict[str, Tensor]] = []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if isinstance(outputs, dict):
            self.parts.append({name: value.detach().cpu() for name, value in outputs.items()})

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        parts, self.parts = self.parts, []
        mine = {name: concatenate([part[name] for part in parts]) for name in (parts[0] if parts else {})}
        ranks = gather(trainer, mine)
        if trainer.is_global_zero and mine and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            self.write(trainer, {name: interleave([rank[name] for rank in ranks]) for name in mine})

    def write(self, trainer: Trainer, columns: dict[str, Tensor]) -> None:
        classes: list[str] | None = data_attribute(trainer, "class_names")
        rows = len(next(iter(columns.values())))
        names: list[Any] = data_attribute(trainer, "predict_names") or list(range(rows))
        names = names[:rows]  # limit_predict_batches may have cut the split short
        table: dict[str, list[Any]] = data_attribute(trainer, "predict_cells", {})
        if (steps := data_attribute(trainer, "predict_steps")) and all(
            v.shape == (1, len(steps)) for v in columns.values()
        ):
            columns, names, rows = {name: value[0] for name, value in columns.items()}, steps, len(steps)
        in_units, decode_target = data_attribute(trainer, "in_units"), data_attribute(trainer, "decode_target")
        header, cells = ["name", *table], [names, *(column[:rows] for column in table.values())]
        for name, value in columns.items():
            if in_units is not None:
                value = in_units(name, value)
            if name == "clips" and classes and value.shape[2:] == (len(classes),):
                header += [f"clip {k + 1}" for k in range(value.shape[1])]
                cells += [[classes[i] for i in part] for part in value.argmax(2).T.tolist()]
                continue
            value = value.flatten(1) if value.ndim > 2 else value  # a picture: one column a pixel
            if name == "label" and classes:
                header.append(name)
                cells.append([classes[i] for i in value.tolist()])
            elif name == "target" and decode_target is not None:
                header.append(name)
                cells.append(decode_target(value))
            elif value.ndim == 1 or value.shape[1] == 1:
                header.append(name)
                cells.append(value.flatten().tolist())
            else:
                known = classes if classes and len(classes) == value.shape[1] else range(value.shape[1])
                stem = {"probabilities": "p"}.get(name, name)
                header += [f"{stem}({c})" for c in known]
                cells += [[f"{v:.6g}" for v in column] for column in value.T.tolist()]
        own = len(table) + 1  # the columns before our own
        header[own:] = [f"predicted {name}" if name in header[:own] else name for name in header[own:]]
        path = self.path(trainer)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(zip(*cells, strict=True))
        print(f"{rows} predictions in {path}")
