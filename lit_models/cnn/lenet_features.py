"""A trained LeNet whose features measure pictures of digits that another network generated.

Heusel et al. 2017 compare features of InceptionV3; for digits of 28 pixels a classifier of digits is nearer, and its
weights are 250 kB that lie beside this file. It is the best checkpoint of `dive fit cnn/lenet` at seed 0, which saw 3,500
digits of MNIST5k's training split and none of its test split, as `dive export cnn/lenet` writes it.
"""

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.cnn.lenet import LeNet

WEIGHTS = Path(__file__).with_suffix(".safetensors")


class LeNetFeatures(nn.Module):
    """Pictures of digits (B, 1, S, S) in [0, 1] -> features (B, 84) and logits of the ten digits (B, 10).

    Pictures of another size are resized to 28 pixels; real and generated ones must have come the same way.
    """

    def __init__(self) -> None:
        super().__init__()
        self.net = LeNet(activation="relu", pooling="max")
        self.load_state_dict(load_file(WEIGHTS))
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.shape[-1] != 28:
            x = F.interpolate(x, (28, 28), mode="bilinear", antialias=True)
        *before, last = self.net.head
        features = nn.Sequential(*before)(self.net.features(x))
        return features, last(features)


@cache
def lenet_features(device: torch.device | str = "cpu") -> LeNetFeatures:
    """The network on a device, read once. It is no part of any model: no checkpoint has its weights."""
    return LeNetFeatures().to(device)
