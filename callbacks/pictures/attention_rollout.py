"""``rollout.png``: which parts of an image a vision transformer's class token has seen, through all layers.

Abnar and Zuidema 2020, "Quantifying attention flow in transformers".
"""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from callbacks.pictures.attention_weights import attention_weights
from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Rows, TestPicture
from common.data_protocol import data_attribute


class AttentionRollout(TestPicture):
    """Draws the first test images x (B, C, H, W) in [0, 1] with the rollout of the class token, the first token.

    Args:
        num_images: Number of images.
    """

    name = "rollout"

    def __init__(self, num_images: int = 12) -> None:
        self.max_rows = num_images

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows:
        return {"image": batch[0], "label": batch[1]}

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> Rows | None:
        weights = list(attention_weights(pl_module, rows["image"].to(pl_module.device)).values())
        return rows | {"flow": rollout(weights)} if weights else None

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        names = data_attribute(trainer, "class_names")
        return draw_rollout(found["image"], found["flow"], found["label"].tolist(), names)


def rollout(weights: list[Tensor]) -> Tensor:
    """The attention of output to input tokens, accumulated over layers of weights (B, H, T, T) -> (B, T, T).

    Each layer counts half for its residual connection and half for the mean of its heads.
    """
    flow = torch.eye(weights[0].shape[-1]).expand(len(weights[0]), -1, -1)
    for layer in weights:
        flow = (layer.mean(1) + torch.eye(layer.shape[-1])) / 2 @ flow
    return flow


def draw_rollout(images: Tensor, flow: Tensor, labels: list[int], names: list[str] | None) -> Figure:
    """Draws images (B, C, S, S), each beside the weights of its patches in the class token, from flow (B, T, T)."""
    side = round((flow.shape[-1] - 1) ** 0.5)
    seen = flow[:, 0, 1:].reshape(-1, 1, side, side)  # the class token's row, without itself
    seen = seen / seen.amax((2, 3), keepdim=True)
    maps = F.interpolate(seen, images.shape[-2:], mode="bilinear")[:, 0]
    columns = 6
    figure = new_figure(2 * columns, 1.1 * -(-len(images) // 3) + 0.6)
    grid = figure.subplots(-(-len(images) // 3), columns, squeeze=False)
    for cell in grid.flat:
        cell.axis("off")
    for i, (image, heat) in enumerate(zip(images, maps, strict=True)):
        picture = image.permute(1, 2, 0).clamp(0, 1).float().numpy()
        left, right = grid.flat[2 * i], grid.flat[2 * i + 1]
        for cell in (left, right):
            cell.imshow(picture if picture.shape[2] == 3 else picture[..., 0], cmap="gray")
        right.imshow(heat.numpy(), cmap="inferno", alpha=0.6, vmin=0, vmax=1)
        left.set_title(names[labels[i]] if names else str(labels[i]), fontsize="x-small")
    return figure
