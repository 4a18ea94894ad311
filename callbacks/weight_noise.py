"""Noise on the weights within a training step: normal noise, or DropConnect.

Graves 2011, "Practical Variational Inference for Neural Networks"; Goodfellow et al. 7.5: minima whose surroundings are
flat are preferred. Wan et al. 2013, "Regularization of Neural Networks using DropConnect"; Goodfellow et al. 7.12.
Departs from Wan et al.: a mask is drawn for a batch, not for each of its samples, and the mean of the weights replaces
their Gaussian approximation in evaluation.

The gradient is that at the noisy weights; the step is taken from the weights themselves.

    dive fit cnn/lenet -c regularizer/weight_noise
    dive fit cnn/lenet -c regularizer/drop_connect
"""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from common.messages import UserError
from common.weights import is_weight


class WeightNoise(Callback):
    """Adds normal noise to all weights, not to biases and gains, for the forward and backward pass of a batch.

    Args:
        std: Its standard deviation.

    Raises:
        UserError: ``std`` is negative.
    """

    def __init__(self, std: float = 0.02) -> None:
        if std < 0:
            raise UserError(f"WeightNoise: std is {std}: give a number of at least 0")
        self.std = std
        self.kept: list[tuple[Tensor, Tensor]] = []  # parameters, and their own values
        self.hooks: list[Any] = []

    def parameters(self, module: LightningModule) -> list[Tensor]:
        """Those that get noise."""
        return [p for name, p in module.named_parameters() if p.requires_grad and is_weight(name, p)]

    @torch.no_grad()
    def disturb(self, weight: Tensor) -> None:
        """Changes a weight, in place."""
        weight.add_(torch.randn_like(weight), alpha=self.std)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        for weight in self.parameters(pl_module):
            self.kept.append((weight, weight.detach().clone()))
            self.disturb(weight)

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores the weights: with several such callbacks, the first one undoes all of them, the last noise first."""
        for callback in reversed(trainer.callbacks):  # type: ignore[attr-defined]
            if isinstance(callback, WeightNoise):
                callback.restore()

    @torch.no_grad()
    def restore(self) -> None:
        """The weights as they were before ``disturb``; nothing where they are restored already."""
        for weight, value in reversed(self.kept):
            weight.copy_(value)
        for hook in self.hooks:
            hook.remove()
        self.kept, self.hooks = [], []


class DropConnect(WeightNoise):
    """Each weight of the dense layers is 0 for a batch with probability ``p``, else divided by 1 - p.

    Args:
        p: The probability.
        last: Whether the last dense layer, which gives the logits, drops weights too.

    Raises:
        UserError: ``p`` is not from 0 to below 1.
    """

    def __init__(self, p: float = 0.3, last: bool = False) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise UserError(f"DropConnect: p is {p}: give a probability of at least 0 and below 1")
        self.p, self.last = p, last

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if pl_module.device_mesh is not None:  # gradients of shards do not pass the hook that drops theirs
            raise UserError("DropConnect needs whole weights: train with -c trainer/ddp")

    def parameters(self, module: LightningModule) -> list[Tensor]:
        dense = [m.weight for m in module.modules() if isinstance(m, nn.Linear) and m.weight.requires_grad]
        return dense if self.last else dense[:-1]

    @torch.no_grad()
    def disturb(self, weight: Tensor) -> None:
        kept = (torch.rand_like(weight) >= self.p).to(weight.dtype) / (1 - self.p)
        weight.mul_(kept)
        self.hooks.append(weight.register_hook(lambda gradient: gradient * kept))
