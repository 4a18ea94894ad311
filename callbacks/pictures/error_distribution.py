"""``errors.png``: the fraction of networks of each family with at most a given error, and the best designs."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import Picture


class ErrorDistribution(Picture):
    """Draws a module's ``errors`` (a tensor of errors for each family) after a test, and after each validation.

    ``designs``, where the module has it, holds the depths, widths and group widths of each network, by family.
    """

    name = "errors"

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.on_test_end(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        errors: dict[str, Tensor] = getattr(pl_module, "errors", {})
        self.finish(trainer, (errors, getattr(pl_module, "designs", {})) if errors else None)

    def draw(self, trainer: Trainer, found: Any) -> Figure:
        return draw_errors(*found)


def draw_errors(errors: dict[str, Tensor], designs: dict[str, Any]) -> Figure:
    """Cumulative curves on the left; on the right each network's last width over its first, against its error."""
    figure = new_figure(11, 4.5)
    left, right = figure.subplots(1, 2)
    for space, values in errors.items():
        ordered = values.detach().cpu().sort().values
        fraction = torch.arange(1, len(ordered) + 1) / len(ordered)
        label = f"{space}: median {float(values.median()):.3f}"
        left.step(ordered.numpy(), fraction.numpy(), where="post", label=label)
        if space in designs:
            growth = [widths[-1] / widths[0] for _, widths, _ in designs[space]]
            right.scatter(growth, values.detach().cpu().numpy(), s=14, label=space)
    left.set(xlabel="error", ylabel="fraction of networks with at most this error", ylim=(0, 1.02))
    right.set(xlabel="last width / first width", ylabel="error", xscale="log")
    left.legend()
    if designs:
        right.legend()
    return figure
