"""Batch normalization by hand, in LeNet: each channel is normalized to mean 0 and variance 1 over the batch.

Ioffe and Szegedy 2015, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift".
D2L 8.5. As torch: the running variance is the unbiased one, the batch is normalized by the biased one.
Departs from the book, whose version tells training from evaluation by whether gradients are on, keeps its running
statistics in plain tensors (not saved, not moved, not shared) and as the biased variance. Its LeNet in this section
does not have the padding of the first convolution; this one does. ``sync=True`` takes the statistics over all ranks,
with gradients through them: two processes then train like one on both batches. (torch's SyncBatchNorm works on GPUs
only.)

    dive fit cnn/batch_norm                    5,000 real MNIST digits, offline
    dive fit cnn/batch_norm_fashion_mnist      the book's recipe

The numbers they reach are in RESULTS.md.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from lit_models.layers.precision import at_least_float32
from lit_models.layers.sizes import refuse_small_image
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}


class BatchNorm(nn.Module):
    """gamma * (x - mean) / sqrt(var + eps) + beta, a mean and a variance for each channel. (B, C, ...) -> the same.

    Args:
        num_features: Channels C.
        eps: Added to the variance.
        momentum: Fraction of a new batch in the running statistics.
        sync: Statistics of the batches of all ranks together, where there are several.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, sync: bool = False) -> None:
        super().__init__()
        self.eps, self.momentum, self.sync = eps, momentum, sync
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.running_mean, self.running_var
        given, x = x.dtype, at_least_float32(x)  # as torch: half precision is not enough for a mean over a batch
        if self.training:
            mean, var, count = self.statistics(x)
            if count < 2:
                raise ValueError("batch normalization in training needs more than one value for each channel")
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
                self.running_var.lerp_((var * count / (count - 1)).to(self.running_var), self.momentum)
        shape = (1, -1, *[1] * (x.ndim - 2))
        scale = self.weight / torch.sqrt(var + self.eps)  # (C,)
        return (x * scale.view(shape) + (self.bias - mean * scale).view(shape)).to(given)

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor, float]:
        """Mean and biased variance (C,), and the number of values of each."""
        dims = [0, *range(2, x.ndim)]
        count = x.numel() / x.shape[1]
        if not (self.sync and torch.distributed.is_initialized()):
            return x.mean(dims), x.var(dims, correction=0), count
        total = all_reduce(torch.cat([x.sum(dims), x.new_tensor([count])]))  # (C + 1,)
        count = float(total[-1].detach())
        mean = total[:-1] / count
        centered = x - mean.view(1, -1, *[1] * (x.ndim - 2))
        return mean, all_reduce(centered.square().sum(dims)) / count, count


class BatchNormLeNet(nn.Module):
    """LeNet with a normalization before each activation. (B, in_channels, S, S) -> (B, num_classes) logits.

    Args:
        in_channels: Channels of the image.
        num_classes: Number of logits.
        image_size: Height and width S of the image in pixels, at least 12.
        activation: ``sigmoid`` as in the book, or ``relu``.
        sync: See ``BatchNorm``.
        normalize: False leaves the normalization out, for comparison.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int = 28,
        activation: Literal["sigmoid", "relu"] = "sigmoid",
        sync: bool = False,
        normalize: bool = True,
    ) -> None:
        super().__init__()
        refuse_small_image("LeNet", image_size, 12)
        act = ACTIVATIONS[activation]
        side = (image_size // 2 - 4) // 2

        def norm(features: int) -> nn.Module:
            return BatchNorm(features, sync=sync) if normalize else nn.Identity()

        self.layers = nn.Sequential(
            *(nn.Conv2d(in_channels, 6, 5, padding=2), norm(6), act(), nn.AvgPool2d(2)),  # (B, 6, S / 2, S / 2)
            *(nn.Conv2d(6, 16, 5), norm(16), act(), nn.AvgPool2d(2), nn.Flatten()),  # (B, 16 * side * side)
            *(nn.Linear(16 * side**2, 120), norm(120), act()),
            *(nn.Linear(120, 84), norm(84), act()),
            nn.Linear(84, num_classes),
        )
        self.apply(self._initialize)

    def feature_layers(self) -> nn.Module:
        """All layers but the last: what ``freeze_features`` freezes."""
        return self.layers[:-1]

    @staticmethod
    def _initialize(module: nn.Module) -> None:
        """Xavier, as in the book."""
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@trains(BatchNormLeNet)
class LitBatchNormLeNet(ImageClassifier):
    """LeNet with batch normalization trained as a classifier."""
