"""Dropout before every dense layer of a network that was written without it.

Srivastava et al. 2014; Goodfellow et al. 7.12; D2L 5.6, where it is a layer of the network. Each input of a dense layer
is 0 in training with probability p, else divided by 1 - p. ``lit_models/functional/calibration.py`` has Monte Carlo
dropout.

    dive fit cnn/lenet -c regularizer/dropout
"""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.nn import functional as F

from common.messages import UserError


class Dropout(Callback):
    """Drops inputs of dense layers from the start of training to its end; layers in evaluation mode drop none.

    Args:
        p: The probability.

    Raises:
        UserError: ``p`` is not from 0 to below 1.
    """

    def __init__(self, p: float = 0.2) -> None:
        if not 0 <= p < 1:
            raise UserError(f"Dropout: p is {p}: give a probability of at least 0 and below 1")
        self.p = p
        self.hooks: list[Any] = []

    def attach(self, module: nn.Module) -> None:
        """Begins to drop."""

        def drop(layer: nn.Module, inputs: Any) -> Any:
            return F.dropout(inputs[0], self.p, layer.training), *inputs[1:]

        dense = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
        self.hooks = [layer.register_forward_pre_hook(drop) for layer in dense]

    def remove(self) -> None:
        """Ends it."""
        for hook in self.hooks:
            hook.remove()
        self.hooks = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.attach(pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.remove()
