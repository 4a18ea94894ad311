"""``detected_objects.png``: the objects of some test pictures and what a detector found in them."""

from typing import Any

from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute


class DetectedObjects(TestPicture):
    """Collects ``outputs["boxes"]``, ``["scores"]`` and ``["labels"]`` of the test batches ``(x, boxes, ignored,
    labels)``.

    Args:
        pictures: The number of pictures, from the beginning of the split.
        min_score: Detections with a lower score are not drawn.
    """

    name = "detected_objects"

    def __init__(self, pictures: int = 12, min_score: float = 0.3) -> None:
        self.max_rows, self.min_score = pictures, min_score

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        x, boxes, _, labels = batch
        found = {f"found_{name}": outputs[name] for name in ("boxes", "scores", "labels")}
        return {"x": x, "boxes": boxes, "labels": labels, **found}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_detections(found, data_attribute(trainer, "class_names"), self.min_score)


def draw_detections(rows: Rows, names: list[str] | None, min_score: float, words: bool = True) -> Figure:
    """A grid of pictures: objects as white boxes, detections in color, with ``words`` their class and score too."""
    count = len(rows["x"])
    columns = min(4, count)
    figure = new_figure(3 * columns, 3.1 * -(-count // columns))
    grid = figure.subplots(-(-count // columns), columns, squeeze=False)
    for cell in grid.flat:
        cell.set_axis_off()
    for k, cell in zip(range(count), grid.flat, strict=False):
        image = rows["x"][k].permute(1, 2, 0).clamp(0, 1).float().numpy()
        size = [image.shape[1], image.shape[0]]
        cell.imshow(image if image.shape[2] == 3 else image[..., 0], cmap="gray")
        for box in rows["boxes"][k][rows["labels"][k] >= 0].tolist():
            add_box(cell, box, size, color="white", linewidth=2.5)
        good = (rows["found_labels"][k] >= 0) & (rows["found_scores"][k] >= min_score)
        parts = (rows[f"found_{name}"][k][good].tolist() for name in ("boxes", "labels", "scores"))
        for box, label, score in zip(*parts, strict=True):
            add_box(cell, box, size, color=f"C{label % 10}", linewidth=1.2)
            if not words:
                continue
            text = f"{names[label] if names and label < len(names) else label} {score:.2f}"
            place = box[0] * size[0], box[1] * size[1]
            cell.text(*place, text, color="white", fontsize=6, backgroundcolor=f"C{label % 10}", clip_on=True)
    return figure


def add_box(axes: Any, box: list[float], size: list[int], **style: Any) -> None:
    """A box in fractions, on an image of a size (width, height); imshow puts pixel centers on whole numbers."""
    left, top, right, bottom = (edge * side - 0.5 for edge, side in zip(box, size * 2, strict=True))
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, **style))
