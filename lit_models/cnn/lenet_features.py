"""A trained LeNet whose features measure pictures of digits that another network generated.

Heusel et al. 2017 compare features of InceptionV3; for digits of 28 pixels a classifier of digits is nearer, and its
weights, 250 kB, are beside this file: the ``model.safetensors`` that an export of the recipe cnn/lenet writes, trained
at seed 0 on the 3,500 training digits of MNIST5k. It has seen none of the test digits.
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

    Pictures of another size are resized to 28 pixels; real and generated pictures must have been of the same size.
    """

    def __init__(self) -> None:
        super().__init__()
        self.net = LeNet(activation="relu", pooling="max")
        self.float().load_state_dict(load_file(WEIGHTS))  # float32 also in a run of another precision
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.shape[-1] != 28:
            x = F.interpolate(x, (28, 28), mode="bilinear", antialias=True)
        *before, last = self.net.head
        features = nn.Sequential(*before)(self.net.features(x))
        return features, last(features)


@cache
def lenet_features(device: torch.device | str = "cpu") -> LeNetFeatures:
    """The network on a device, read once. It is not part of a model: no checkpoint has its weights."""
    return LeNetFeatures().to(device)
