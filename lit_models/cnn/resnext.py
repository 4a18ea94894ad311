"""ResNeXt: the bottleneck's convolution in groups, as many small transformations side by side.

Xie et al. 2017, "Aggregated Residual Transformations for Deep Neural Networks": ResNeXt-50 (32 x 4d). D2L 8.6.5.
Departs from the book, whose argument ``groups`` is the width of a group and not their number: both have their own names
here.

    dive fit cnn/resnext                5,000 real MNIST digits, offline, narrow
    dive fit cnn/resnext --data ImageFolder --data.root DIR --model.weights resnext50_32x4d.pth    your pictures

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch

from lit_models.cnn.resnet import ResNet, Stem
from lit_models.tasks.image_classifier import ImageClassifier


class ResNeXt(ResNet):
    """ResNet of grouped bottlenecks, by default ResNeXt-50 (32 x 4d). (B, in_channels, S, S) -> (B, num_classes).

    Args:
        in_channels, num_classes, depth, width, stem: See ``ResNet``; depth is 14, 50, 101 or 152.
        groups: Number of groups: the paper's cardinality.
        group_width: Channels of a group in the first stage at width 64; they double with the stages.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        depth: int = 50,
        width: int = 64,
        stem: Stem = "imagenet",
        groups: int = 32,
        group_width: int = 4,
    ) -> None:
        super().__init__(
            in_channels, num_classes, depth, width, stem, pre_activation=False, groups=groups, group_width=group_width
        )


class LitResNeXt(ImageClassifier):
    """ResNeXt trained as a classifier.

    Args:
        in_channels, num_classes, depth, width, stem, groups, group_width: See ``ResNeXt``.
        image_size: Height and width S of the image in pixels; any size does.
        freeze_features: Only the last layer learns.
        weights: See ``ImageClassifier``. The published width, groups and stem are then used: 64, 32 x 4d, ImageNet's.
        **task: See ``ImageClassifier``.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        image_size: int = 224,
        depth: int = 50,
        width: int = 64,
        stem: Stem = "imagenet",
        groups: int = 32,
        group_width: int = 4,
        freeze_features: bool = False,
        weights: str = "",
        **task: Any,
    ) -> None:
        if weights:
            depth, width, stem, groups, group_width = 50, 64, "imagenet", 32, 4
        super().__init__(num_classes=num_classes, weights=weights, **task)
        self.net = ResNeXt(in_channels, num_classes, depth, width, stem, groups, group_width)
        if freeze_features:
            self.net.requires_grad_(False).fc.requires_grad_(True)
        self.example_input = torch.zeros(1, in_channels, image_size, image_size)
