"""A trained LeNet whose features measure generated scenes of colored solids, and that counts their solids.

Its weights, 90 kB, are beside this file: those of

    dive fit cnn/lenet --data ColoredSolids --data.image_size 16 --data.shift 1 --data.flip true
        --model.label_smoothing 0 --trainer.max_epochs 15

at seed 0, as ``dive export`` writes them. It has seen none of the test scenes.
"""

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.cnn.lenet import LeNet

WEIGHTS = Path(__file__).with_suffix(".safetensors")
SIDE, COUNTS = 16, 5
RMS = 2.54  # of the features of training scenes: divided by it, a kernel distance has a readable size


class SceneFeatures(nn.Module):
    """Scenes (B, 3, S, S) in [0, 1] -> features (B, 84) of size 1 and logits of one to five solids (B, 5).

    Scenes of another size are resized to 16 pixels; real and generated scenes must have been of the same size.

    Raises:
        UserError: The pictures are not in color.
    """

    def __init__(self) -> None:
        super().__init__()
        self.net = LeNet(3, COUNTS, SIDE, activation="relu", pooling="max")
        self.float().load_state_dict(load_file(WEIGHTS))  # float32 also in a run of another precision
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.shape[1] != 3:
            raise UserError(f"model.scenes measures scenes in color, these have {x.shape[1]} channels: give false")
        if x.shape[-1] != SIDE:
            x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
        *before, last = self.net.head
        features = nn.Sequential(*before)(self.net.features(x))
        return features / RMS, last(features)


@cache
def scene_features(device: torch.device | str = "cpu") -> SceneFeatures:
    """The network on a device, read once. It is not part of a model: no checkpoint has its weights."""
    return SceneFeatures().to(device)
