"""``label_confusion.png``: which label of a sequence is taken for which, left out, or heard where there is none."""

from typing import Any

from lightning.pytorch import Trainer
from matplotlib.figure import Figure

from callbacks.pictures.confusion_matrix import draw_counts
from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute


class LabelConfusion(TestPicture):
    """Adds up ``outputs["confusion"]`` of the test, (K + 1, K + 1): true labels by what they were aligned with.

    Label 0 is none: its row has the labels that were inserted, its column those that were left out.
    """

    name = "label_confusion"

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"counts": outputs["confusion"]}

    def merge(self, kept: Rows, new: Rows) -> Rows:
        return {"counts": kept["counts"] + new["counts"]}

    def join(self, ranks: list[Rows]) -> Rows:
        return {"counts": sum((rows["counts"] for rows in ranks[1:]), ranks[0]["counts"])}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        counts = found["counts"]
        names = data_attribute(trainer, "class_names") or list(map(str, range(1, len(counts))))
        figure = new_figure(6, 5.5)
        draw_counts(figure.subplots(), counts, ["none", *names])
        return figure
