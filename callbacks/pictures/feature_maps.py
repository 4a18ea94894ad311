"""``feature_maps.png``: what each layer makes of the first test sample."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure, show
from callbacks.pictures.layer_outputs import layer_outputs


class FeatureMaps(Callback):
    """Draws the maps of every layer with kernels for one sample of the first test batch ``(x, ...)``.

    Args:
        num_maps: Maps of a layer, its first ones.
        sample: Which sample of the batch.
    """

    def __init__(self, num_maps: int = 8, sample: int = 0) -> None:
        self.num_maps, self.sample = num_maps, sample

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx or not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        x = batch[0][self.sample : self.sample + 1]
        with torch.no_grad(), layer_outputs(pl_module) as maps:
            pl_module(x)
        rows = {"input": x, **maps} if x.ndim == 4 else maps
        if rows:
            show(trainer, draw_maps({n: m[0].float().cpu() for n, m in rows.items()}, self.num_maps), "feature_maps")


def draw_maps(rows: dict[str, Tensor], num_maps: int) -> Figure:
    """One row a layer, maps (C, H, W) each scaled to its own range."""
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
