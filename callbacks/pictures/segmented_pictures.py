"""``segmented_pictures.png``: some test pictures, their classes, and those that a segmenter gave them."""

from typing import Any

import numpy as np
from lightning.pytorch import Trainer
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from callbacks.mask_files import palette
from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute


class SegmentedPictures(TestPicture):
    """Collects ``outputs["classes"]`` (B, H, W) of the test batches ``(x, y)``.

    Args:
        pictures: The number of pictures, from the beginning of the split.
    """

    name = "segmented_pictures"

    def __init__(self, pictures: int = 6) -> None:
        self.max_rows = pictures

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"x": batch[0], "truth": batch[1], "found": outputs["classes"]}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_masks(found, data_attribute(trainer, "class_names"))


def draw_masks(rows: Rows, names: list[str] | None) -> Figure:
    """A column for each picture: the picture, its classes, those that were found; void is white."""
    count = len(rows["x"])
    figure = new_figure(2 * count + 0.5, 6.6)
    grid = figure.subplots(3, count, squeeze=False)
    colors = palette() / 255
    for cell in grid.flat:
        cell.set_axis_off()
    for k in range(count):
        image = rows["x"][k].permute(1, 2, 0).clamp(0, 1).float().numpy()
        grid[0, k].imshow(image if image.shape[2] == 3 else image[..., 0], cmap="gray")
        for line, name in ((1, "truth"), (2, "found")):
            shown = {"cmap": ListedColormap(colors), "vmin": -0.5, "vmax": 255.5, "interpolation": "nearest"}
            grid[line, k].imshow(rows[name][k].numpy(), **shown)
    for line, title in enumerate(("picture", "truth", "found")):
        grid[line, 0].set_title(title, loc="left", fontsize="small")
    present = sorted({int(v) for name in ("truth", "found") for v in np.unique(rows[name].numpy())} - {255})
    labels = [names[v] if names and v < len(names) else str(v) for v in present]
    handles = [Patch(color=colors[v], label=label) for v, label in zip(present, labels, strict=True)]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(7, len(handles)), fontsize="small")
    return figure
