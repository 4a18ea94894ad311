"""Less memory for more arithmetic: a layer's inner values are forgotten and computed again in the backward pass.

Chen et al. 2016, "Training deep nets with sublinear memory cost". Training keeps what every operation needs for its
derivative. With this callback (``-c trainer/activation_checkpointing``) each layer keeps its input only, and is
computed a second time when its derivative is due, with the same dropout: gradients are the same, to the last bit on
the CPU. A step takes about a third longer. Layers with batch normalization are left alone: their running statistics
would be updated twice.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from common.messages import UserError


class ActivationCheckpointing(Callback):
    """Checkpoints the layers in the lists and sequences of ``net`` while it trains."""

    def __init__(self) -> None:
        self.layers: list[nn.Module] = []

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        net = getattr(pl_module, "net", None)
        self.layers = list(layers_of(net)) if isinstance(net, nn.Module) else []
        if not self.layers:
            raise UserError(f"{type(pl_module).__name__} has no list of layers to compute twice: leave the preset out")
        for layer in self.layers:
            checkpointed(layer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for layer in self.layers:
            vars(layer).pop("forward", None)


def checkpointed(layer: nn.Module) -> None:
    """The layer keeps its inputs only, where it is in training mode."""
    plain = type(layer).forward.__get__(layer)

    def forward(*args: Any, **kwargs: Any) -> Any:
        if not layer.training:
            return plain(*args, **kwargs)
        return checkpoint(partial(plain, **kwargs), *args, use_reentrant=False)

    layer.forward = forward  # type: ignore[method-assign]


def layers_of(net: nn.Module) -> Iterator[nn.Module]:
    """What the outermost lists and sequences of a network contain, if it has weights and no batch normalization and
    consists of several modules; else it is looked into.
    """
    for layer in net.children():
        parts = list(layer.modules())
        listed = isinstance(layer, nn.ModuleList | nn.Sequential)
        normalized = any(isinstance(part, _BatchNorm) for part in parts)
        whole = isinstance(net, nn.ModuleList | nn.Sequential) and not listed and not normalized and len(parts) > 1
        if whole and any(True for _ in layer.parameters()):
            yield layer
        else:
            yield from layers_of(layer)
