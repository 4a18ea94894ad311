"""GoogLeNet: each block applies several kernel sizes in parallel and concatenates their outputs.

Szegedy et al. 2015, "Going Deeper with Convolutions", table 1. D2L 8.4. ``variant: paper`` has biases, local response
normalization and 5 x 5 kernels. ``variant: torchvision`` has batch normalization, and 3 x 3 kernels instead of
5 x 5, as the published weights do; its parameters have their names.
Departs from the paper: He's initialization. The book has neither normalization nor the auxiliary heads of the paper's
figure 3, which are ``auxiliary=True`` here: two intermediate classifiers whose losses are weighted by 0.3 in training.

    dive fit cnn/googlenet                    5,000 real MNIST digits, offline, narrow
    dive fit cnn/googlenet_fashion_mnist      the book's recipe
    dive fit cnn/googlenet --data ImageFolder --data.root DIR --model.weights googlenet.pth    your pictures

The numbers they reach are in RESULTS.md.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.layers.precision import at_least_float32
from lit_models.layers.pretrained import MEAN, STD
from lit_models.layers.sizes import refuse_small_image, scaled
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

Variant = Literal["torchvision", "paper"]
Stem = Literal["imagenet", "small"]
LEAST = {("torchvision", "imagenet"): 15, ("torchvision", "small"): 4, ("paper", "imagenet"): 31, ("paper", "small"): 8}
INCEPTIONS = {  # table 1: 1 x 1; before 3 x 3, 3 x 3; before 5 x 5, 5 x 5; after the pooling
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class ConvReLU(nn.Module):
    """A convolution and a ReLU, with batch normalization between (eps 1e-3, as the weights were trained) or a bias.

    Args:
        in_channels, channels, kernel_size, stride: Of the convolution, which changes the size only by its stride.
        variant: See ``GoogLeNet``; ``torchvision`` normalizes.
    """

    def __init__(self, in_channels: int, channels: int, kernel_size: int, variant: Variant, stride: int = 1) -> None:
        super().__init__()
        normalized = variant == "torchvision"
        self.conv = nn.Conv2d(in_channels, channels, kernel_size, stride, kernel_size // 2, bias=not normalized)
        self.bn = nn.BatchNorm2d(channels, eps=1e-3) if normalized else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Inception(nn.Module):
    """Four branches side by side. (B, in_channels, H, W) -> (B, c1 + c3 + c5 + cp, H, W).

    Args:
        in_channels: Channels that come in.
        sizes: c1; the channels of the 1 x 1 before c3, and c3; the same for c5; cp. A row of table 1.
        variant: See ``GoogLeNet``.
    """

    def __init__(self, in_channels: int, sizes: tuple[int, ...], variant: Variant) -> None:
        super().__init__()
        c1, before3, c3, before5, c5, cp = sizes
        five = 3 if variant == "torchvision" else 5
        self.branch1 = ConvReLU(in_channels, c1, 1, variant)
        self.branch2 = nn.Sequential(ConvReLU(in_channels, before3, 1, variant), ConvReLU(before3, c3, 3, variant))
        self.branch3 = nn.Sequential(ConvReLU(in_channels, before5, 1, variant), ConvReLU(before5, c5, five, variant))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), ConvReLU(in_channels, cp, 1, variant))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class Auxiliary(nn.Module):
    """An intermediate classifier. (B, in_channels, H, W) -> (B, num_classes). Its four layers have torchvision's names.

    Args:
        in_channels: Channels of the input.
        num_classes, width, variant: See ``GoogLeNet``.
    """

    def __init__(self, in_channels: int, num_classes: int, width: float, variant: Variant) -> None:
        super().__init__()
        channels, hidden = scaled(128, width), scaled(1024, width)
        self.conv = ConvReLU(in_channels, channels, 1, variant)
        self.fc1 = nn.Linear(channels * 16, hidden)
        self.fc2 = nn.Linear(hidden, num_classes)
        self.dropout = nn.Dropout(0.7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.adaptive_avg_pool2d(x, 4))  # (B, 128 * width, 4, 4)
        return self.fc2(self.dropout(F.relu(self.fc1(x.flatten(1)))))


class GoogLeNet(nn.Module):
    """A stem, nine inception blocks in three stages, the mean. (B, in_channels, S, S) -> (B, num_classes) logits.

    Args:
        in_channels: Channels of the image.
        num_classes: Number of logits.
        image_size: Height and width S of the image in pixels.
        variant: ``torchvision`` or ``paper``.
        stem: ``imagenet`` begins with 7 x 7, stride 2 and a pooling; ``small`` with 3 x 3, stride 1 and none.
        width: The published numbers of channels are multiplied by it.
        auxiliary: Whether the network has the two intermediate classifiers.
        dropout: Before the last layer: 0.4 in the paper, 0.2 in torchvision.
        transform_input: Converts images normalized by ImageNet's mean and deviation to (x - 0.5) / 0.5, with which the
            published weights were trained.
    """

    HEADS = ("fc", "aux1", "aux2")
    forward_methods = ("all_logits",)  # what training calls: see lit_models/tasks/processes.py: shard
    #: The sizes of torchvision's weights.
    PUBLISHED = {"variant": "torchvision", "stem": "imagenet", "width": 1.0}

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        variant: Variant = "torchvision",
        stem: Stem = "imagenet",
        width: float = 1.0,
        auxiliary: bool = False,
        dropout: float = 0.2,
        transform_input: bool = False,
    ) -> None:
        super().__init__()
        refuse_small_image("GoogLeNet", image_size, LEAST[variant, stem])
        self.transform_input = transform_input
        norm = nn.LocalResponseNorm(5) if variant == "paper" else nn.Identity()
        first, reduced, c = (scaled(n, width) for n in (64, 64, 192))
        large = stem == "imagenet"
        self.conv1 = ConvReLU(in_channels, first, 7 if large else 3, variant, stride=2 if large else 1)
        pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.maxpool1 = nn.Sequential(pool, norm) if large else norm
        self.conv2 = ConvReLU(first, reduced, 1, variant)
        self.conv3 = ConvReLU(reduced, c, 3, variant)
        self.maxpool2 = nn.Sequential(norm, nn.MaxPool2d(3, stride=2, ceil_mode=True))
        inner: dict[str, int] = {}
        for name, published in INCEPTIONS.items():
            sizes = tuple(scaled(n, width) for n in published)
            self.add_module(f"inception{name}", Inception(c, sizes, variant))
            inner[name] = c = sizes[0] + sizes[2] + sizes[4] + sizes[5]
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.maxpool4 = nn.MaxPool2d(2 if variant == "torchvision" else 3, stride=2, ceil_mode=True)
        self.aux1 = Auxiliary(inner["4a"], num_classes, width, variant) if auxiliary else None
        self.aux2 = Auxiliary(inner["4d"], num_classes, width, variant) if auxiliary else None
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(c, num_classes)
        self.apply(self._initialize)

    @staticmethod
    def _initialize(module: nn.Module) -> None:
        """He et al. 2015; torchvision's N(0, 0.01) needs the normalization."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return self.all_logits(x)[0]

    def inceptions(self, x: Tensor, *names: str) -> Tensor:
        """Some of the blocks, one after the other."""
        for name in names:
            x = self.get_submodule(f"inception{name}")(x)
        return x

    def all_logits(self, x: Tensor) -> list[Tensor]:
        """The logits, in training followed by those of the intermediate classifiers: (B, num_classes) each."""
        if self.transform_input and x.shape[1] == 3:
            mean, std = x.new_tensor(MEAN).view(3, 1, 1), x.new_tensor(STD).view(3, 1, 1)
            x = (x * std + mean - 0.5) / 0.5
        x = self.maxpool1(self.conv1(x))  # (B, 64 * width, S / 4, S / 4)
        x = self.maxpool2(self.conv3(self.conv2(x)))  # (B, 192 * width, S / 8, S / 8)
        x = self.maxpool3(self.inceptions(x, "3a", "3b"))  # (B, 480 * width, S / 16, S / 16)
        a = self.inceptions(x, "4a")
        d = self.inceptions(a, "4b", "4c", "4d")
        x = self.maxpool4(self.inceptions(d, "4e"))  # (B, 832 * width, S / 32, S / 32)
        x = self.inceptions(x, "5a", "5b").mean((2, 3))  # (B, 1024 * width)
        logits = [self.fc(self.dropout(x))]
        if self.training and self.aux1 is not None and self.aux2 is not None:
            logits += [self.aux1(a), self.aux2(d)]
        return logits


def is_published(weights_from: Literal["auto", "published", "run"] = "auto") -> bool:
    """Published weights expect the paper's normalization of the input."""
    return weights_from == "published"


@trains(GoogLeNet, transform_input=is_published)
class LitGoogLeNet(ImageClassifier):
    """GoogLeNet trained as a classifier; with ``auxiliary`` the intermediate losses count 0.3 (paper, section 5)."""

    net: GoogLeNet

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        last, *on_the_way = (
            F.cross_entropy(at_least_float32(logits), y, label_smoothing=self.label_smoothing)
            for logits in self.net.all_logits(self.normalized(x))
        )
        self.record_train_loss(last, len(x))
        return last + 0.3 * sum(on_the_way)
