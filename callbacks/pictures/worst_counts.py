"""``worst_counts.png``: the test pictures whose counts are the farthest from the truth."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure

from callbacks.pictures.detected_objects import draw_detections
from callbacks.pictures.picture import Rows, TestPicture
from callbacks.ranks import concatenate
from common.data_protocol import data_attribute


class WorstCounts(TestPicture):
    """Collects the pictures with the largest sum over classes of |found - true|; objects in white, cells that count in
    color.

    Args:
        pictures: How many.
    """

    name = "worst_counts"

    def __init__(self, pictures: int = 10) -> None:
        self.pictures = pictures

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows | None:
        if not isinstance(outputs, dict) or "true_counts" not in outputs:
            return None
        x, boxes, ignored, labels = batch
        counts, true = outputs["counts"], outputs["true_counts"]
        by_light = x.flatten(1).float().mean(1) * 1e-3  # pictures with equal errors, in an order of their own
        names = ("boxes", "scores", "labels", "counted")
        rows = {f"found_{name}": outputs[name] for name in names}
        rows |= {"x": x, "boxes": boxes, "labels": torch.where(ignored, -1, labels) + 1, "counts": counts, "true": true}
        return self.worst({**rows, "error": (counts - true).abs().sum(1) + by_light})

    def worst(self, rows: Rows) -> Rows:
        """The rows with the largest errors, the largest first."""
        order = rows["error"].argsort(descending=True)[: self.pictures]
        return {name: values[order] for name, values in rows.items()}

    def merge(self, kept: Rows, new: Rows) -> Rows:
        return self.worst(super().merge(kept, new))

    def join(self, ranks: list[Rows]) -> Rows:
        return self.worst({name: concatenate([rank[name] for rank in ranks]) for name in ranks[0]})

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_worst(found, data_attribute(trainer, "class_names"))


def draw_worst(rows: Rows, names: list[str] | None) -> Figure:
    """A grid of pictures with what was found and how many there are."""
    shown = {**rows, "labels": rows["labels"] - 1}  # 0 is padding
    shown["found_labels"] = torch.where(rows["found_counted"].bool(), rows["found_labels"], -1)
    figure = draw_detections(shown, names, 0.0, words=False)
    for k, axes in enumerate(figure.axes[: len(rows["x"])]):
        pairs = zip(rows["counts"][k].tolist(), rows["true"][k].tolist(), strict=True)
        said = [f"{names[i] if names else i} {found}/{true}" for i, (found, true) in enumerate(pairs)]
        axes.set_title(", ".join(said), fontsize=7)
    return figure
