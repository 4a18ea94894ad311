"""Residual blocks: a shortcut passes the input on, and convolutions learn what to add to it.

He et al. 2016, "Deep Residual Learning for Image Recognition" and "Identity Mappings in Deep Residual Networks" (the
pre-activation form); Xie et al. 2017, "Aggregated Residual Transformations" (groups). D2L 8.6.
Departs from the book: the convolution of a shortcut is normalized, as in the paper, and convolutions before a batch
normalization have no bias. Departs from the first paper, as every library: the stride lies on the 3 x 3 convolution of
a bottleneck, not on its first 1 x 1. Parameters have torchvision's names.
"""

from torch import Tensor, nn
from torch.nn import functional as F


def conv3x3(in_channels: int, channels: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, channels, 3, stride, padding=1, groups=groups, bias=False)


def conv1x1(in_channels: int, channels: int, stride: int = 1) -> nn.Conv2d:
    kind = NarrowConv1x1 if stride > 1 and in_channels < 8 else nn.Conv2d
    return kind(in_channels, channels, 1, stride, bias=False)


class NarrowConv1x1(nn.Conv2d):
    """A strided 1 x 1 convolution, as one without stride of every ``stride``-th pixel: the same numbers.

    Of 2 to 7 channels in channels-last order, oneDNN 3.x writes behind the gradient of the strided one's weights
    ("double free or corruption") on processors with AVX2 and without AVX-512.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x[:, :, :: self.stride[0], :: self.stride[1]], self.weight, self.bias)


def shortcut(in_channels: int, channels: int, stride: int, normalized: bool) -> nn.Sequential | None:
    """A 1 x 1 convolution if the shape changes, else None."""
    if stride == 1 and in_channels == channels:
        return None
    conv = conv1x1(in_channels, channels, stride)
    return nn.Sequential(conv, nn.BatchNorm2d(channels)) if normalized else nn.Sequential(conv)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions. (B, in_channels, H, W) -> (B, channels, H / stride, W / stride).

    Args:
        in_channels, channels: Channels that come in and go out.
        stride: Of the first convolution and of the shortcut.
        pre_activation: Normalization and ReLU before each convolution instead of after it; the sum is then passed on
            unchanged, so that the shortcuts of all blocks form one direct path.
    """

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int = 1, pre_activation: bool = False) -> None:
        super().__init__()
        self.pre_activation = pre_activation
        self.conv1 = conv3x3(in_channels, channels, stride)
        self.bn1 = nn.BatchNorm2d(in_channels if pre_activation else channels)
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = shortcut(in_channels, channels, stride, normalized=not pre_activation)

    def forward(self, x: Tensor) -> Tensor:
        if self.pre_activation:
            h = F.relu(self.bn1(x), inplace=True)
            kept = x if self.downsample is None else self.downsample(h)
            h = self.conv1(h)  # (B, channels, H / stride, W / stride)
            return self.conv2(F.relu(self.bn2(h), inplace=True)) + kept
        kept = x if self.downsample is None else self.downsample(x)
        h = F.relu(self.bn1(self.conv1(x)), inplace=True)  # (B, channels, H / stride, W / stride)
        h = self.bn2(self.conv2(h))
        h += kept
        return F.relu(h, inplace=True)


class Bottleneck(nn.Module):
    """1 x 1 down, 3 x 3, 1 x 1 up. (B, in_channels, H, W) -> (B, 4 * channels, H / stride, W / stride).

    Args:
        in_channels: Channels that come in.
        channels: A quarter of the channels that go out; without groups also the channels of the 3 x 3 convolution.
        stride: Of the 3 x 3 convolution and of the shortcut.
        pre_activation: See ``BasicBlock``.
        groups: Groups of the 3 x 3 convolution: ResNeXt's cardinality.
        group_width: Channels of a group per 64 of ``channels``, as ResNeXt's 32 x 4d counts them.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        pre_activation: bool = False,
        groups: int = 1,
        group_width: int = 64,
    ) -> None:
        super().__init__()
        self.pre_activation = pre_activation
        inner, out = channels * group_width // 64 * groups, self.expansion * channels
        self.conv1 = conv1x1(in_channels, inner)
        self.bn1 = nn.BatchNorm2d(in_channels if pre_activation else inner)
        self.conv2 = conv3x3(inner, inner, stride, groups)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = conv1x1(inner, out)
        self.bn3 = nn.BatchNorm2d(inner if pre_activation else out)
        self.downsample = shortcut(in_channels, out, stride, normalized=not pre_activation)

    def forward(self, x: Tensor) -> Tensor:
        if self.pre_activation:
            h = F.relu(self.bn1(x), inplace=True)
            kept = x if self.downsample is None else self.downsample(h)
            h = self.conv2(F.relu(self.bn2(self.conv1(h)), inplace=True))  # (B, inner, H / stride, W / stride)
            return self.conv3(F.relu(self.bn3(h), inplace=True)) + kept
        kept = x if self.downsample is None else self.downsample(x)
        h = F.relu(self.bn1(self.conv1(x)), inplace=True)  # (B, inner, H, W)
        h = F.relu(self.bn2(self.conv2(h)), inplace=True)  # (B, inner, H / stride, W / stride)
        h = self.bn3(self.conv3(h))
        h += kept
        return F.relu(h, inplace=True)
