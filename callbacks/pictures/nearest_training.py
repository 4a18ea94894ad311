"""``nearest.png``: generated pictures, and below each the training picture that is most like it.

It shows whether a model repeats what it has seen.
"""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from callbacks.pictures.samples import sheet
from common.data_protocol import data_attribute
from common.messages import UserError, note


class NearestTraining(TestPicture):
    """Compares ``outputs["samples"]``, pictures (B, C, H, W) in [0, 1], with the training rows of the datamodule.

    Args:
        max_rows: Pictures that are compared.
    """

    name = "nearest"

    def __init__(self, max_rows: int = 20) -> None:
        self.max_rows = max_rows

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows | None:
        if not isinstance(outputs, dict) or "samples" not in outputs:
            return None
        return {"generated": outputs["samples"].float()}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> dict[str, Tensor] | None:
        train = training_rows(trainer)
        if train is None:
            return None
        scale = 255 if train.dtype == torch.uint8 else 1
        generated = rows["generated"]
        distances = torch.cdist(generated.flatten(1), train.flatten(1).float() / scale)
        least, which = distances.min(1)
        return {"generated": generated, "nearest": train[which].float() / scale, "distances": least}

    def draw(self, trainer: Trainer, found: dict[str, Tensor]) -> Figure:
        columns = min(10, len(found["generated"]))
        parts = [x.split(columns) for x in (found["generated"], found["nearest"])]
        mixed = torch.cat([part for pair in zip(*parts, strict=True) for part in pair])
        count = 2 * len(parts[0])
        figure = new_figure(0.7 * columns, 0.7 * count + 0.4)
        ax = figure.subplots()
        ax.imshow(sheet(mixed, columns).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="none")
        ax.set_title("generated, and the nearest training picture below")
        ax.axis("off")
        return figure


def training_rows(trainer: Trainer) -> Tensor | None:
    """The training pictures (N, C, H, W), read where a test did not need them; None where there are none: no
    datamodule, another folder than the run's, one that cannot be read now, or pictures that do not fit in memory.
    """
    splits, setup = data_attribute(trainer, "splits", {}), data_attribute(trainer, "setup")
    if "train" not in splits and setup is not None and not data_attribute(trainer, "other_file", False):
        try:
            with torch.inference_mode(False):  # threads that read pictures are not in the test's inference mode
                setup("fit")
        except UserError as error:  # the run's folder is not there any more, or has changed: the test has its numbers
            note(f"nearest.png is not drawn: {error}")
            return None
        splits = data_attribute(trainer, "splits", {})
    train: Tensor | None = splits["train"][0].cpu() if "train" in splits else None
    return train if train is not None and train.ndim == 4 else None
