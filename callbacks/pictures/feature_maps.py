"""``feature_maps.png``: the output of each layer for the first test sample."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.layer_outputs import layer_outputs
from callbacks.pictures.picture import Rows, TestPicture


class FeatureMaps(TestPicture):
    """Draws the maps of every layer with kernels for one sample of the test batches ``(x, ...)``.

    Args:
        num_maps: Number of maps drawn per layer, from its first.
        sample: Row number of the sample in the test split.
    """

    name = "feature_maps"

    def __init__(self, num_maps: int = 8, sample: int = 0) -> None:
        self.num_maps, self.sample, self.max_rows = num_maps, sample, sample + 1

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"x": batch[0]}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> Rows | None:
        x = rows["x"][self.sample :].to(pl_module.device)
        if not len(x):
            return None
        with torch.no_grad(), layer_outputs(pl_module) as maps:
            pl_module(x)
        found = {"input": x, **maps} if x.ndim == 4 else maps
        return {name: m[0].float().cpu() for name, m in found.items()} or None

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_maps(found, self.num_maps)


def draw_maps(rows: dict[str, Tensor], num_maps: int) -> Figure:
    """One row per layer; each map of (C, H, W) is scaled to its own range."""
    columns = max(min(len(maps), num_maps) for maps in rows.values())
    figure = new_figure(1.3 * columns + 1, 1.35 * len(rows))
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for cell in grid.flat:
        cell.set_axis_off()
    for line, (name, maps) in zip(grid, rows.items(), strict=True):
        _, height, width = maps.shape
        line[0].set_title(f"{name.removeprefix('net.')}  {height} x {width}", fontsize="x-small", loc="left")
        for cell, one in zip(line, maps[:num_maps], strict=False):
            cell.imshow(one.numpy(), cmap="gray" if name == "input" else "viridis", aspect="auto")
    return figure
