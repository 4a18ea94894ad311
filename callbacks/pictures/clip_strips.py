"""``clips.png`` and ``clips.gif``: one test clip of each class, as a strip of its frames and as an animation."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from callbacks.pictures.samples import sheet
from common.data_protocol import data_attribute

MOST_FRAMES = 16  # of a strip
MILLISECONDS = 120  # of a frame of the animation


class ClipStrips(TestPicture):
    """Collects the clips (B, C, T, H, W) in [0, 1], classes and ``outputs["logits"]`` of the test batches ``(x, y)``.

    Of videos with several clips, the first of them is taken.

    Args:
        max_rows: Rows of the split among which the first of each class are taken.
        zoom: Pixels of the animation for each pixel.
    """

    name = "clips"

    def __init__(self, max_rows: int = 60, zoom: int = 3) -> None:
        self.max_rows, self.zoom = max_rows, zoom

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        x = batch[0]
        x = x[:, 0] if x.ndim == 6 else x
        return {"x": x.float(), "truth": batch[1], "prediction": outputs["logits"].argmax(1)}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> Rows:
        truth = rows["truth"].tolist()
        first = [truth.index(label) for label in sorted(set(truth))]
        return {name: values[first] for name, values in rows.items()}

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        animation(found["x"], Path(trainer.default_root_dir) / "clips.gif", self.zoom)
        return draw_strips(found, data_attribute(trainer, "class_names"))


def draw_strips(found: Rows, names: list[str] | None) -> Figure:
    """A row of frames for each clip ``x`` (N, C, T, H, W), with its class and, where another is predicted, that one."""
    x = found["x"]
    frames = torch.linspace(0, x.shape[2] - 1, min(x.shape[2], MOST_FRAMES)).round().long()
    figure = new_figure(0.55 * len(frames) + 2, 0.6 * len(x))
    for ax, clip, truth, guess in zip(
        figure.subplots(len(x), 1, squeeze=False)[:, 0], x, found["truth"], found["prediction"], strict=True
    ):
        strip = sheet(clip[:, frames].transpose(0, 1), len(frames))
        ax.imshow(strip.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="none")
        ax.set(xticks=[], yticks=[])
        label, other = (names[int(k)] if names else str(int(k)) for k in (truth, guess))
        text = label if truth == guess else f"{label}, taken\nfor {other}"
        ax.set_ylabel(text, rotation=0, ha="right", va="center", fontsize="small")
    return figure


def animation(x: Tensor, path: Path, zoom: int = 3, border: int = 1) -> None:
    """Clips (N, C, T, H, W) in [0, 1] side by side as a GIF that repeats, with white lines between them."""
    padded = torch.nn.functional.pad(x, [0, border, 0, border], value=1.0)
    columns = min(len(x), 6)
    frames = []
    for t in range(x.shape[2]):
        pixels = sheet(padded[:, :, t], columns)
        pixels = pixels.repeat_interleave(zoom, 0).repeat_interleave(zoom, 1)
        frames.append(Image.fromarray((pixels * 255).round().byte().numpy()))
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=MILLISECONDS, loop=0)
