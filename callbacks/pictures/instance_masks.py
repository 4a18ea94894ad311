"""``instance_masks.png``: the objects of some test pictures pixel by pixel, and those that a detector found."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from callbacks.pictures.picture import Rows, TestPicture
from callbacks.pictures.segmented_pictures import draw_masks
from common.data_protocol import data_attribute

BORDER = 255  # drawn white


class InstanceMasks(TestPicture):
    """Collects ``outputs["instances"]`` (B, H, W), ``["labels"]`` and ``["scores"]`` (B, D) of the test batches ``(x,
    boxes, ignored, labels, instances)``; instances are k + 1 where a pixel shows object k.

    Objects have the color of their class and a white border.

    Args:
        pictures: The number of pictures, from the beginning of the split.
        min_score: Detections with a lower score are not drawn.
    """

    name = "instance_masks"

    def __init__(self, pictures: int = 6, min_score: float = 0.5) -> None:
        self.max_rows, self.min_score = pictures, min_score

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        x, _, _, labels, instances = (part.cpu() for part in batch)
        found, scores, numbers = (outputs[name].cpu() for name in ("labels", "scores", "instances"))
        found = found.masked_fill(scores < self.min_score, -1)
        return {"x": x, "truth": class_map(instances, labels), "found": class_map(numbers, found)}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        names: list[str] | None = data_attribute(trainer, "class_names")
        return draw_masks(found, ["background", *names] if names else None)


def class_map(instances: Tensor, labels: Tensor) -> Tensor:
    """The class of each pixel (B, H, W): 0 the background, c + 1 class c, 255 where objects meet something else.

    Args:
        instances: (B, H, W), k + 1 where a pixel shows object k.
        labels: The class (B, M) of each object, -1 for one that is left out.
    """
    kinds = F.pad(labels + 1, (1, 0))  # (B, 1 + M)
    shown = kinds.gather(1, instances.long().flatten(1)).view_as(instances)
    number = torch.where(shown > 0, instances.long(), 0)
    border = torch.zeros_like(shown, dtype=torch.bool)
    border[:, 1:] |= number[:, 1:] != number[:, :-1]
    border[:, :, 1:] |= number[:, :, 1:] != number[:, :, :-1]
    return shown.masked_fill(border, BORDER)
