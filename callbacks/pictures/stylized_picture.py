"""``stylized_picture.png``: the content, the style, and the picture that has both."""

from typing import Any

from lightning.pytorch import Trainer
from matplotlib.figure import Figure

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture


class StylizedPicture(TestPicture):
    """Collects ``outputs["picture"]`` (B, 3, S, S) of the first test batch ``(content, style)``."""

    name = "stylized_picture"
    max_rows = 1

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"content": batch[0], "style": batch[1], "both": outputs["picture"]}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        figure = new_figure(9.0, 3.4)
        for cell, (title, rows) in zip(figure.subplots(1, 3), found.items(), strict=True):
            cell.imshow(rows[0].permute(1, 2, 0).clamp(0, 1).float().numpy())
            cell.set_title(title, loc="left", fontsize="small")
            cell.set_axis_off()
        return figure
