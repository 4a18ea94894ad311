"""R(2+1)D, R3D and MC3: residual networks whose convolutions look at neighboring frames too.

Tran et al. 2018, "A closer look at spatiotemporal convolutions for action recognition". Not in D2L.
``r3d`` has convolutions of 3 x 3 x 3; ``r2plus1d`` splits each into 1 x 3 x 3 (space) and 3 x 1 x 1 (time) with as many
parameters and one more ReLU; ``mc3`` looks at neighboring frames in its first stage only. Names of layers and sizes are
those of torchvision's ``r2plus1d_18``, ``r3d_18`` and ``mc3_18``, whose weights load.
Departs from the paper: both convolutions of a block have the inner channels of the first one, as in torchvision.

    dive fit video/resnet3d     digits that move, offline: the class is the motion
    dive fit video/resnet3d --data VideoFolder --data.root DIR --model.weights R2Plus1D_18_Weights.KINETICS400_V1

The numbers they reach are in RESULTS.md.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.tasks.trains import trains
from lit_models.video.video_classifier import VideoClassifier

Variant = Literal["r2plus1d", "r3d", "mc3"]
STEM_INNER = 45  # inner channels of R(2+1)D's stem at width 64: the paper's number, which is not of its formula


def inner_channels(channels: int, out_channels: int) -> int:
    """Channels between the two parts of a (2+1)-D convolution, so that it has as many parameters as 3 x 3 x 3 (Tran et
    al. 2018, 3.5).
    """
    return channels * out_channels * 27 // (channels * 9 + 3 * out_channels)


def convolution(variant: str, channels: int, out_channels: int, inner: int, stride: int = 1) -> nn.Module:
    """A convolution over 3 x 3 pixels and, except for ``2d``, 3 frames of (B, channels, T, H, W).

    Args:
        variant: ``r2plus1d``, ``r3d``, or ``2d`` for single frames.
        channels, out_channels: Before and after.
        inner: Channels between the two parts, of ``r2plus1d``.
        stride: Of pixels, and of frames where several are seen.
    """
    if variant == "2d":
        return nn.Conv3d(channels, out_channels, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)
    if variant == "r3d":
        return nn.Conv3d(channels, out_channels, 3, stride, 1, bias=False)
    return nn.Sequential(
        nn.Conv3d(channels, inner, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
        nn.BatchNorm3d(inner),
        nn.ReLU(inplace=True),
        nn.Conv3d(inner, out_channels, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
    )


class Block(nn.Module):
    """Two convolutions and a shortcut. (B, channels, T, H, W) -> (B, out_channels, T / stride, H / stride, W / stride).

    Args:
        variant: See ``convolution``.
        channels, out_channels: Before and after.
        stride: Of the first convolution and of the shortcut.
    """

    def __init__(self, variant: str, channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        inner = inner_channels(channels, out_channels)
        self.conv1 = nn.Sequential(
            convolution(variant, channels, out_channels, inner, stride),
            nn.BatchNorm3d(out_channels),
            nn.ReLU(inplace=True),
        )
        self.conv2 = nn.Sequential(
            convolution(variant, out_channels, out_channels, inner), nn.BatchNorm3d(out_channels)
        )
        self.downsample: nn.Module | None = None
        if stride > 1 or channels != out_channels:
            steps = (1 if variant == "2d" else stride, stride, stride)
            self.downsample = nn.Sequential(
                nn.Conv3d(channels, out_channels, 1, steps, bias=False), nn.BatchNorm3d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(self.conv2(self.conv1(x)) + shortcut, inplace=True)


class VideoResNet(nn.Module):
    """A stem, four stages, the mean over space and time. (B, in_channels, T, S, S) -> (B, num_classes) logits.

    Any number of frames and any size.

    Args:
        in_channels: Channels of a frame.
        num_classes: Number of logits.
        variant: ``r2plus1d``, ``r3d`` or ``mc3``.
        width: Channels of the first stage; each later stage has twice as many. The paper's is 64.
        blocks: Blocks of each stage; 18 layers have two each.
    """

    HEADS = ("fc",)
    #: The sizes of torchvision's weights.
    PUBLISHED = {"width": 64, "blocks": (2, 2, 2, 2)}

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 400,
        variant: Variant = "r2plus1d",
        width: int = 64,
        blocks: Sequence[int] = (2, 2, 2, 2),
    ) -> None:
        super().__init__()
        frames = 1 if variant == "r2plus1d" else 3
        inner = STEM_INNER * width // 64 if variant == "r2plus1d" else width
        space = nn.Conv3d(in_channels, inner, (frames, 7, 7), (1, 2, 2), (frames // 2, 3, 3), bias=False)
        self.stem = nn.Sequential(space, nn.BatchNorm3d(inner), nn.ReLU(inplace=True))
        if variant == "r2plus1d":
            time = nn.Conv3d(inner, width, (3, 1, 1), padding=(1, 0, 0), bias=False)
            self.stem.extend([time, nn.BatchNorm3d(width), nn.ReLU(inplace=True)])
        channels = width
        for k, count in enumerate(blocks):
            kind = ("r3d" if k == 0 else "2d") if variant == "mc3" else variant
            stage = nn.Sequential()
            for i in range(count):
                stage.append(Block(kind, channels, width << k, 2 if k > 0 and i == 0 else 1))
                channels = width << k
            self.add_module(f"layer{k + 1}", stage)
        self.stages = len(blocks)
        self.fc = nn.Linear(channels, num_classes)
        self.apply(self._initialize)

    @staticmethod
    def _initialize(module: nn.Module) -> None:
        """He et al. 2015, by the outputs (fan_out), as torchvision."""
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)  # (B, width, T, S / 2, S / 2)
        for k in range(self.stages):
            x = self.get_submodule(f"layer{k + 1}")(x)
        return self.fc(x.mean((2, 3, 4)))  # (B, width * 2 ** (stages - 1)) -> (B, num_classes)


@trains(VideoResNet)
class LitVideoResNet(VideoClassifier):
    """A residual network for video, trained as a classifier."""
