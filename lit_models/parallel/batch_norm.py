"""Batch normalization over the rows of all processes, on any device: torch's ``SyncBatchNorm`` refuses the CPU.

Ioffe and Szegedy 2015; D2L 8.5. Each process sums its own rows and their squares; the sums of all processes give one
mean and one variance. They depend on all rows, so that a row's gradient has a part from every process's loss: the
backward pass of the sum is a sum too. With it two processes have the gradient of one on the global batch (to 1e-10 in
double precision); without it, each normalizes by its own rows, and the gradient of a small network is off by 8 % with 6
rows a process.

    dive fit cnn/resnet -c trainer/sync_batch_norm --trainer.accelerator cpu

The variance is computed from the sum of squared differences to the common mean, in a second message: a difference of
two large sums would lose digits.
"""

from typing import Any

import torch
from lightning.pytorch.plugins.layer_sync import LayerSync
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm

from lit_models.layers.precision import at_least_float32, full_precision
from lit_models.parallel.all_reduce import ring
from lit_models.parallel.point_to_point import world


class SumOverProcesses(Function):
    """The sum of a tensor over all processes; backward: the sum of what all of them derive by it."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        total = mine.clone(memory_format=torch.contiguous_format)
        ring(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.clone(memory_format=torch.contiguous_format)
        ring(total)
        return total


def normalize(layer: _BatchNorm, x: Tensor) -> Tensor:
    """What a layer of batch normalization computes in training, with the statistics of all processes.

    Sums and counts are at least in single precision: float16 ends at 65,504, and bfloat16 has no 257.
    """
    with full_precision(x):
        return normalize_precisely(layer, at_least_float32(x)).to(x.dtype)


def normalize_precisely(layer: _BatchNorm, x: Tensor) -> Tensor:
    """``normalize`` in the precision of x."""
    dims = [0, *range(2, x.ndim)]
    shape = [1, -1] + [1] * (x.ndim - 2)
    ones = x.new_tensor([x.numel() / x.shape[1]])
    sums = SumOverProcesses.apply(torch.cat([x.sum(dims), ones]))  # (C + 1,)
    count = sums[-1].detach()
    mean = sums[:-1] / count
    centered = x - mean.view(shape)
    variance = SumOverProcesses.apply(centered.square().sum(dims)) / count
    if layer.running_mean is not None and layer.running_var is not None:
        with torch.no_grad():
            layer.num_batches_tracked.add_(1)  # type: ignore[union-attr]
            momentum = layer.momentum if layer.momentum is not None else 1 / float(layer.num_batches_tracked or 1)
            layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), momentum)
            unbiased = variance * count / (count - 1)
            layer.running_var.lerp_(unbiased.to(layer.running_var.dtype), momentum)
    y = centered * (variance + layer.eps).rsqrt().view(shape)
    return y if layer.weight is None else y * layer.weight.view(shape) + layer.bias.view(shape)


class SynchronizedBatchNorm(LayerSync):
    """A plugin of Lightning's: all layers of batch normalization of a network take the statistics of all processes."""

    def apply(self, model: nn.Module) -> nn.Module:
        for layer in model.modules():
            if isinstance(layer, _BatchNorm):
                layer.forward = Forward(layer)  # type: ignore[method-assign,assignment]
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        for layer in model.modules():
            if isinstance(layer, _BatchNorm):
                vars(layer).pop("forward", None)
        return model


class Forward:
    """A layer's ``forward``: as always in evaluation and in one process.

    Args:
        layer: The layer of batch normalization.
    """

    def __init__(self, layer: _BatchNorm) -> None:
        self.layer = layer

    def __call__(self, x: Tensor) -> Tensor:
        if not self.layer.training or world() == 1:
            return type(self.layer).forward(self.layer, x)
        return normalize(self.layer, x)
