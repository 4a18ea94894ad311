"""``confusion.png``: which class is taken for which, and the network's most confident errors."""

from functools import reduce
from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import multiclass_confusion_matrix

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute


class ConfusionMatrix(TestPicture):
    """Collects ``outputs["logits"]`` of the test batches ``(x, y)``; images x (B, C, H, W) in [0, 1] are shown.

    Args:
        num_errors: How many of the most confident errors are kept, those with the largest loss.
    """

    name = "confusion"

    def __init__(self, num_errors: int = 24) -> None:
        self.num_errors = num_errors

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        x, y, logits = batch[0], batch[-1], outputs["logits"]
        guess, loss = logits.argmax(1), F.cross_entropy(logits, y, reduction="none")
        wrong = (guess != y).nonzero().flatten()
        errors = {"loss": loss, "truth": y, "prediction": guess} | ({"image": x} if x.ndim == 4 else {})
        counts = multiclass_confusion_matrix(logits, y, num_classes=logits.shape[1])
        return {"counts": counts, **self.worst({name: rows[wrong] for name, rows in errors.items()})}

    def worst(self, errors: Rows) -> Rows:
        """The errors with the largest losses, the largest first."""
        order = errors["loss"].argsort(descending=True)[: self.num_errors]
        return {name: rows[order] for name, rows in errors.items()}

    def merge(self, kept: Rows, new: Rows) -> Rows:
        both = {name: torch.cat([rows, new[name]]) for name, rows in kept.items() if name != "counts"}
        return {"counts": kept["counts"] + new["counts"], **self.worst(both)}

    def join(self, ranks: list[Rows]) -> Rows:
        return reduce(self.merge, ranks)

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_confusion(found, data_attribute(trainer, "class_names"))


def draw_confusion(found: Rows, names: list[str] | None) -> Figure:
    """Draws ``counts`` (K, K), rows the truth, shaded by their fraction of the row, beside the errors' images.

    Args:
        found: ``counts``, and for the errors ``truth``, ``prediction`` and, where the inputs are images, ``image``.
        names: Names of the classes.
    """
    counts, images = found["counts"], found.get("image")
    k = len(counts)
    names = names if names and len(names) == k else [str(i) for i in range(k)]
    pictures = images is not None and len(images) > 0
    figure = new_figure(11 if pictures else 5.5, 5)
    left, right = figure.subfigures(1, 2) if pictures else (figure, None)  # type: ignore[misc]
    draw_counts(left.subplots(), counts, names)
    if right is not None:
        errors = zip(found["truth"].tolist(), found["prediction"].tolist(), strict=True)
        draw_images(right, images, [f"{names[truth]} > {names[guess]}" for truth, guess in errors])
    return figure


def draw_counts(ax: Any, counts: Tensor, names: list[str]) -> None:
    k = len(counts)
    fraction = counts / counts.sum(1, keepdim=True).clamp(min=1)
    ax.imshow(fraction.numpy(), cmap="Blues", vmin=0, vmax=1)
    accuracy = counts.diagonal().sum() / counts.sum()
    ax.set(title=f"accuracy {accuracy:.4f} of {int(counts.sum())}", xlabel="predicted", ylabel="truth")
    if k <= 30:
        ax.set_xticks(range(k), names, rotation=45, ha="right")
        ax.set_yticks(range(k), names)
    if k <= 12:
        for i in range(k):
            for j in range(k):
                if counts[i, j]:
                    color = "white" if fraction[i, j] > 0.5 else "black"
                    ax.text(j, i, str(int(counts[i, j])), ha="center", va="center", color=color, fontsize="small")


def draw_images(figure: Any, images: Any, titles: list[str], columns: int = 6) -> None:
    """A grid of images (N, C, H, W) in [0, 1]."""
    grid = figure.subplots(-(-len(images) // columns), columns, squeeze=False)
    figure.suptitle("most confident errors: truth > prediction")
    for cell in grid.flat:
        cell.axis("off")
    for cell, image, title in zip(grid.flat, images, titles, strict=False):
        picture = image.permute(1, 2, 0).clamp(0, 1).float().numpy()
        cell.imshow(picture if picture.shape[2] == 3 else picture[..., 0], cmap="gray")
        cell.set_title(title, fontsize="x-small")
