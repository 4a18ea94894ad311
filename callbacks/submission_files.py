"""``submission.csv`` of a Kaggle competition: an id, and a class or the probability of each class."""

import csv

from lightning.pytorch import Trainer
from torch import Tensor

from callbacks.predictions import Predictions
from common.data_protocol import data_attribute


class SubmissionFiles(Predictions):
    """Writes the predictions in the form that the datamodule says (``submission``, ``submission_names``), beside
    ``predictions.csv`` and in the same order; an earlier one is replaced.

    Args:
        out: See ``PredictionFiles``; only its folder is used.
    """

    def write(self, trainer: Trainer, columns: dict[str, Tensor]) -> None:
        kind: str | None = data_attribute(trainer, "submission")
        names, classes = data_attribute(trainer, "predict_names"), data_attribute(trainer, "class_names")
        if kind is None or names is None or classes is None:
            return  # other pictures than a competition's
        first, second = data_attribute(trainer, "submission_names")
        header, rows = [first, second], [[classes[k]] for k in columns["label"].tolist()]
        if kind == "probabilities":
            header = [first, *classes]
            rows = [[f"{p:.6g}" for p in row] for row in columns["probabilities"].tolist()]
        path = self.path(trainer).with_name("submission.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows([name, *row] for name, row in zip(names, rows, strict=False))
        print(f"{len(rows)} predictions in {path}")
