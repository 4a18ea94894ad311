"""DenseNet: the input of every layer is the outputs of all layers before it.

Huang, Liu, van der Maaten and Weinberger 2017, "Densely Connected Convolutional Networks". D2L 8.7. Parameters have
torchvision's names; the older names in its published file are accepted too.
DenseNet-121 is ``block_layers=(6, 12, 24, 16), growth=32``; the book's is ``block_layers=(4, 4, 4, 4),
bottleneck=False``. Departs from the book: convolutions before a normalization have no bias, and the initialization is
He's (the book's Xavier call has no effect).

    dive fit cnn/densenet                    5,000 real MNIST digits, offline, narrow
    dive fit cnn/densenet_cifar10            CIFAR-10 with today's augmentation and schedule
    dive fit cnn/densenet_fashion_mnist      the book's recipe
    dive fit cnn/densenet --data ImageFolder --data.root DIR --model.weights densenet121.pth    your pictures

The numbers they reach are in RESULTS.md.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.layers.sizes import refuse_small_image
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

Stem = Literal["imagenet", "small"]
DENSENET121 = (6, 12, 24, 16)


class DenseLayer(nn.Module):
    """Normalization, ReLU, convolution: adds ``growth`` maps. (B, in_channels, H, W) -> (B, growth, H, W).

    Args:
        in_channels: Maps so far.
        growth: Maps that it adds.
        bottleneck: A 1 x 1 convolution to 4 * growth maps comes first (the paper's B).
    """

    def __init__(self, in_channels: int, growth: int, bottleneck: bool) -> None:
        super().__init__()
        inner = 4 * growth if bottleneck else in_channels
        self.bottleneck = bottleneck
        if bottleneck:
            self.norm1 = nn.BatchNorm2d(in_channels)
            self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.bottleneck:
            x = self.conv1(F.relu(self.norm1(x), inplace=True))  # (B, 4 * growth, H, W)
        return self.conv2(F.relu(self.norm2(x), inplace=True))


class DenseBlock(nn.Module):
    """Layers whose outputs are all concatenated: (B, C, H, W) -> (B, C + layers * growth, H, W), the newest last.

    Args:
        in_channels: C, channels of the input.
        layers: Number of layers.
        growth: Channels that each layer adds.
        bottleneck: See ``DenseLayer``.
    """

    def __init__(self, in_channels: int, layers: int, growth: int, bottleneck: bool) -> None:
        super().__init__()
        for i in range(layers):
            self.add_module(f"denselayer{i + 1}", DenseLayer(in_channels + i * growth, growth, bottleneck))

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for layer in self.children():
            maps.append(layer(torch.cat(maps, 1)))
        return torch.cat(maps, 1)


def transition(in_channels: int) -> nn.Sequential:
    """Half as many maps, half as high and wide (the paper's C, theta = 0.5)."""
    parts: list[tuple[str, nn.Module]] = [
        ("norm", nn.BatchNorm2d(in_channels)),
        ("relu", nn.ReLU(inplace=True)),
        ("conv", nn.Conv2d(in_channels, in_channels // 2, 1, bias=False)),
        ("pool", nn.AvgPool2d(2)),
    ]
    return nn.Sequential(OrderedDict(parts))


class DenseNet(nn.Module):
    """A stem, dense blocks with transitions between, the mean. (B, in_channels, S, S) -> (B, num_classes) logits.

    Args:
        in_channels: Channels of the image.
        num_classes: Number of logits.
        block_layers: Layers of each block.
        growth: Maps that each layer adds; the stem makes twice as many.
        stem: ``imagenet`` is 7 x 7 with stride 2 and a pooling; ``small`` is 3 x 3 with stride 1.
        bottleneck: See ``DenseLayer``.
        image_size: Height and width S of the image in pixels, to refuse one that is too small for the transitions.
    """

    HEADS = ("classifier",)
    #: The sizes of torchvision's weights.
    PUBLISHED = {"block_layers": DENSENET121, "growth": 32, "stem": "imagenet", "bottleneck": True}

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        block_layers: Sequence[int] = DENSENET121,
        growth: int = 32,
        stem: Stem = "imagenet",
        bottleneck: bool = True,
        image_size: int = 224,
    ) -> None:
        super().__init__()
        least = 2 ** (len(block_layers) - 1) * (4 if stem == "imagenet" else 1) - (3 if stem == "imagenet" else 0)
        refuse_small_image("DenseNet", image_size, least)
        channels = 2 * growth
        kernel, stride = (7, 2) if stem == "imagenet" else (3, 1)
        parts: list[tuple[str, nn.Module]] = [
            ("conv0", nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False)),
            ("norm0", nn.BatchNorm2d(channels)),
            ("relu0", nn.ReLU(inplace=True)),
        ]
        if stem == "imagenet":
            parts.append(("pool0", nn.MaxPool2d(3, stride=2, padding=1)))  # (B, 2 * growth, S / 4, S / 4)
        for k, layers in enumerate(block_layers, 1):
            if k > 1:
                parts.append((f"transition{k - 1}", transition(channels)))
                channels //= 2
            parts.append((f"denseblock{k}", DenseBlock(channels, layers, growth, bottleneck)))
            channels += layers * growth
        parts.append(("norm5", nn.BatchNorm2d(channels)))
        self.features = nn.Sequential(OrderedDict(parts))
        self.classifier = nn.Linear(channels, num_classes)
        self.apply(self._initialize)

    @staticmethod
    def _initialize(module: nn.Module) -> None:
        """He et al. 2015."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    @staticmethod
    def rename(key: str) -> str:
        """``denselayer1.norm.1.weight``, as published in 2017, is ``denselayer1.norm1.weight`` today."""
        return re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d\.)", r"\1\2", key)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.features(x), inplace=True)  # (B, channels, S / 32, S / 32); S / 8 with the small stem
        return self.classifier(x.mean((2, 3)))


@trains(DenseNet)
class LitDenseNet(ImageClassifier):
    """DenseNet trained as a classifier."""
