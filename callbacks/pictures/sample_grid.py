"""``samples.png``: generated images, at the end of a fit."""

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import FitPicture


class SampleGrid(FitPicture):
    """Draws ``picture_rows(count)`` of the module, images (N, C, H, W) in [0, 1].

    Args:
        columns: Images in a row.
        rows: Rows of images.
    """

    name = "samples"

    def __init__(self, columns: int = 10, rows: int = 6) -> None:
        self.columns, self.rows = columns, rows

    def look(self, trainer: Trainer, pl_module: LightningModule) -> Tensor:
        return pl_module.picture_rows(self.columns * self.rows).cpu()  # type: ignore[operator,no-any-return]

    def draw(self, trainer: Trainer, found: Tensor) -> Figure:
        figure = new_figure(0.7 * self.columns, 0.7 * self.rows)
        for cell, image in zip(figure.subplots(self.rows, self.columns, squeeze=False).flat, found, strict=True):
            cell.set_axis_off()
            pixels = image.clamp(0, 1).permute(1, 2, 0).numpy()
            cell.imshow(pixels if pixels.shape[2] == 3 else pixels[..., 0], cmap="gray", vmin=0, vmax=1)
        return figure
