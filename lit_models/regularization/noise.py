"""Noise on inputs and on labels.

Goodfellow et al. 7.5 and 7.5.1; Bishop 1995, "Training with noise is equivalent to Tikhonov regularization"; Xie et al.
2016, "DisturbLabel". Noise on weights and on gradients: ``callbacks/weight_noise.py``, ``callbacks/gradient_noise.py``.

    dive fit cnn/lenet -c regularizer/input_noise
    dive fit cnn/lenet -c regularizer/label_noise
"""

from typing import Any

import torch
from torch import Tensor

from lit_models.tasks.regularizer import LABELS, PICTURES, Regularizer, between


class InputNoise(Regularizer):
    """Adds normal noise to every input.

    Args:
        std: Its standard deviation, in the units of the inputs: pixels are numbers in [0, 1].
    """

    order = PICTURES + 0.5
    needs = "numbers"

    def __init__(self, std: float = 0.1) -> None:
        self.std = between(self, "std", std, 0)

    def batch(self, task: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x + self.std * torch.randn_like(x), y


class LabelNoise(Regularizer):
    """Each label is replaced with a probability by one drawn evenly from all classes, anew for each batch.

    On average that is label smoothing by the same fraction; here with the noise of the draw.

    Args:
        fraction: The probability.
    """

    order = LABELS

    def __init__(self, fraction: float = 0.1) -> None:
        self.fraction = between(self, "fraction", fraction, 0, 1)

    def batch(self, task: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        classes = task.val_acc.num_classes
        drawn = torch.randint(classes, (len(y),), device=y.device)
        replaced = torch.rand(len(y), device=y.device) < self.fraction
        if y.ndim == 1:
            return x, torch.where(replaced, drawn, y)
        return x, torch.where(replaced[:, None], torch.nn.functional.one_hot(drawn, classes).to(y.dtype), y)
