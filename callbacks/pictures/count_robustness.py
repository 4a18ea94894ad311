"""``count_robustness.png``: how far counts move when the pictures are blurred, darker, brighter or compressed."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute


def jpeg(x: Tensor, quality: int) -> Tensor:
    """Images (B, C, H, W) in [0, 1] after JPEG's compression."""
    pixels = (x.float().clamp(0, 1) * 255 + 0.5).byte().permute(0, 2, 3, 1).cpu().numpy()
    found = []
    for image in pixels:
        file = io.BytesIO()
        Image.fromarray(image if image.shape[2] == 3 else image[..., 0]).save(file, "JPEG", quality=quality)
        found.append(np.asarray(Image.open(file)).reshape(image.shape))
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).to(x) / 255


#: What is done to pictures (B, C, H, W) in [0, 1], by name.
CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "blur, 1 pixel": lambda x: gaussian_blur(x, [7, 7], [1.0, 1.0]),
    "blur, 2 pixels": lambda x: gaussian_blur(x, [13, 13], [2.0, 2.0]),
    "brightness x 0.6": lambda x: x * 0.6,
    "brightness x 0.8": lambda x: x * 0.8,
    "brightness x 1.2": lambda x: (x * 1.2).clamp(max=1),
    "JPEG, quality 50": lambda x: jpeg(x, 50),
    "JPEG, quality 10": lambda x: jpeg(x, 10),
}


class CountRobustness(TestPicture):
    """Counts the first test pictures again after each change of ``CHANGES``, by ``count`` of the model: (B, C, H, W) ->
    (B, K).

    A bar is the sum over pictures of |count of the changed one - count of the picture|, divided by the sum of the
    pictures' counts. The truth plays no part: this is agreement with itself.

    Args:
        pictures: How many, from the beginning of the split.
    """

    name = "count_robustness"

    def __init__(self, pictures: int = 100) -> None:
        self.max_rows = pictures

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"x": batch[0]}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> dict[str, Tensor] | None:
        count: Any = getattr(pl_module, "count", None)
        if count is None:
            return None
        x = rows["x"].to(pl_module.device)
        with torch.no_grad():
            known = count(x)
            total = known.sum(0).clamp(min=1)
            return {name: ((count(change(x)) - known).abs().sum(0) / total).cpu() for name, change in CHANGES.items()}

    def draw(self, trainer: Trainer, found: dict[str, Tensor]) -> Figure:
        return draw_robustness(found, data_attribute(trainer, "class_names"))


def draw_robustness(found: dict[str, Tensor], names: list[str] | None) -> Figure:
    """A group of bars (K,) for each change."""
    table = torch.stack(list(found.values())).double()  # (changes, K)
    figure = new_figure(7, 0.45 * len(found) + 1.2)
    axes = figure.subplots()
    height = 0.8 / table.shape[1]
    for k, values in enumerate(table.T):
        places = torch.arange(len(found)) + (k - (table.shape[1] - 1) / 2) * height
        axes.barh(places.numpy(), (100 * values).numpy(), height, label=names[k] if names and k < len(names) else k)
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=10)  # a change that breaks the counting would hide all others
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set(xlabel="change of the count, in percent", title="the same pictures, changed")
    axes.legend()
    return figure
