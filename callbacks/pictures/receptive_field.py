"""``receptive_field.png``: how the part of the image that a unit looks at grows from layer to layer, by its gradient.

Luo et al. 2016, "Understanding the effective receptive field in deep convolutional neural networks".
"""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure, show
from callbacks.pictures.layer_outputs import layer_outputs


class ReceptiveField(Callback):
    """Draws, for every layer with kernels, the gradient of its middle unit with respect to the first test batch.

    Args:
        num_samples: Images over which the gradient's size is averaged.
    """

    def __init__(self, num_samples: int = 64) -> None:
        self.num_samples = num_samples

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        x = batch[0]
        first = batch_idx == 0 and trainer.is_global_zero and not trainer.fast_dev_run  # type: ignore[attr-defined]
        if first and x.ndim == 4:
            show(trainer, draw_fields(input_gradients(pl_module, x[: self.num_samples])), "receptive_field")


def input_gradients(net: torch.nn.Module, x: Tensor) -> dict[str, Tensor]:
    """For each layer the mean size (H, W) of its middle unit's gradient by x (B, C, H, W), channels summed."""
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
    """One panel a layer, in the order of use, each scaled to its own largest value."""
    figure = new_figure(2.4 * len(gradients), 2.7)
    for ax, (name, gradient) in zip(
        figure.subplots(1, len(gradients), squeeze=False)[0], gradients.items(), strict=True
    ):
        height, width = extent(gradient)
        ax.imshow(gradient.sqrt().numpy(), cmap="magma")
        ax.set(title=f"{name.removeprefix('net.')}\nsees {height} x {width}", xticks=[], yticks=[])
    return figure
