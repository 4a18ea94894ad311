"""``samples.png``: what a model generated in the test, beside the data: points in the plane, or pictures."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture


class Samples(TestPicture):
    """Collects x of the test batches ``(x, ...)`` and ``outputs["samples"]``, points (B, D) or pictures (B, C, H, W) in
    [0, 1].

    Args:
        max_rows: Samples that are drawn.
        columns: Pictures in a row.
    """

    name = "samples"

    def __init__(self, max_rows: int = 2000, columns: int = 10) -> None:
        self.max_rows = max_rows
        self.columns = columns

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows | None:
        if not isinstance(outputs, dict) or "samples" not in outputs:
            return None
        rows = min(len(batch[0]), len(outputs["samples"]))
        return {"data": batch[0][:rows].float(), "generated": outputs["samples"][:rows].float()}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_samples(found["data"], found["generated"], self.columns)


def draw_samples(data: Tensor, generated: Tensor, columns: int) -> Figure:
    """Two panels: points (N, D) with their first two dimensions on the same axes; pictures (N, C, H, W) side by
    side.
    """
    pairs = (("data", data), ("generated", generated))
    if data.ndim == 4:
        rows = -(-len(data) // columns)
        figure = new_figure(10, 0.5 * rows + 0.4)
        for ax, (title, pictures) in zip(figure.subplots(1, 2), pairs, strict=True):
            ax.imshow(sheet(pictures, columns).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="none")
            ax.set_title(title)
            ax.axis("off")
        return figure
    figure = new_figure(8, 4.2)
    reach = 1.15 * float(data.abs().max())
    for ax, (title, points) in zip(figure.subplots(1, 2), pairs, strict=True):
        ax.plot(points[:, 0].numpy(), points[:, -1].numpy(), ".", markersize=2, color="C0" if title == "data" else "C1")
        ax.set(title=title, xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    return figure


def sheet(pictures: Tensor, columns: int) -> Tensor:
    """Pictures (N, C, H, W) in one: (rows H, columns W) gray, (rows H, columns W, C) in color; missing ones are
    black. Two channels are two gray pictures side by side.
    """
    pictures = torch.cat(pictures.split(1, 1), 3) if pictures.shape[1] == 2 else pictures
    n, c, h, w = pictures.shape
    rows = -(-n // columns)
    full = pictures.new_zeros(rows * columns, c, h, w)
    full[:n] = pictures.clamp(0, 1)
    joined = full.view(rows, columns, c, h, w).permute(0, 3, 1, 4, 2).reshape(rows * h, columns * w, c)
    return joined if c == 3 else joined[..., 0]
