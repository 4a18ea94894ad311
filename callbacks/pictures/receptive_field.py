"""``receptive_field.png``: the receptive field of a unit in each layer, by its gradient.

Luo et al. 2016, "Understanding the effective receptive field in deep convolutional neural networks".
"""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.layer_outputs import layer_outputs
from callbacks.pictures.picture import Rows, TestPicture


class ReceptiveField(TestPicture):
    """Draws, for every layer with kernels, the gradient of its middle unit with respect to the first test images.

    Args:
        num_samples: Images over which the absolute gradient is averaged.
    """

    name = "receptive_field"

    def __init__(self, num_samples: int = 64) -> None:
        self.max_rows = num_samples

    def collect(self, trainer: Trainer, outputs: Any, batch: Any) -> Rows | None:
        return {"x": batch[0]} if batch[0].ndim == 4 else None

    def look(self, trainer: Trainer, pl_module: LightningModule, rows: Rows) -> Rows | None:
        return input_gradients(pl_module, rows["x"].to(pl_module.device)) or None

    def draw(self, trainer: Trainer, found: Rows) -> Figure:
        return draw_fields(found)


def input_gradients(net: torch.nn.Module, x: Tensor) -> dict[str, Tensor]:
    """By layer, the mean absolute gradient (H, W) of its middle unit by x (B, C, H, W), over samples and channels."""
    with torch.inference_mode(False), torch.enable_grad(), layer_outputs(net) as maps:
        x = x.clone().requires_grad_()
        net(x)
        found = {}
        for name, y in maps.items():
            middle = y[..., y.shape[-2] // 2, y.shape[-1] // 2].sum()
            (gradient,) = torch.autograd.grad(middle, x, retain_graph=True)
            found[name] = gradient.abs().mean((0, 1)).float().cpu()
    return found


def extent(gradient: Tensor) -> tuple[int, int]:
    """Height and width of the part (H, W) where the gradient is not zero."""
    rows, columns = gradient.sum(1).nonzero(), gradient.sum(0).nonzero()
    if not len(rows):
        return 0, 0
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def draw_fields(gradients: dict[str, Tensor]) -> Figure:
    """One panel per layer, in the order of use, each scaled to its own largest value."""
    figure = new_figure(2.4 * len(gradients), 2.7)
    for ax, (name, gradient) in zip(
        figure.subplots(1, len(gradients), squeeze=False)[0], gradients.items(), strict=True
    ):
        height, width = extent(gradient)
        ax.imshow(gradient.sqrt().numpy(), cmap="magma")
        ax.set(title=f"{name.removeprefix('net.')}\nsees {height} x {width}", xticks=[], yticks=[])
    return figure
