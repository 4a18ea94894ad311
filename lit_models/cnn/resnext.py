"""ResNeXt: the bottleneck's convolution in groups: many small transformations in parallel.

Xie et al. 2017, "Aggregated Residual Transformations for Deep Neural Networks": ResNeXt-50 (32 x 4d). D2L 8.6.5.
Departs from the book, whose argument ``groups`` is the width of a group and not their number: both have their own names
here.

    dive fit cnn/resnext                5,000 real MNIST digits, offline, narrow
    dive fit cnn/resnext --data ImageFolder --data.root DIR --model.weights resnext50_32x4d.pth    your pictures

The numbers they reach are in RESULTS.md.
"""

from lit_models.cnn.resnet import ResNet, Stem
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains


class ResNeXt(ResNet):
    """ResNet of grouped bottlenecks, by default ResNeXt-50 (32 x 4d). (B, in_channels, S, S) -> (B, num_classes).

    Args:
        in_channels, num_classes, depth, width, stem: See ``ResNet``; depth is 14, 50, 101 or 152.
        groups: Number of groups: the paper's cardinality.
        group_width: Channels of a group in the first stage at width 64; they double with the stages.
    """

    PUBLISHED = {"depth": 50, "width": 64, "stem": "imagenet", "groups": 32, "group_width": 4}

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


@trains(ResNeXt)
class LitResNeXt(ImageClassifier):
    """ResNeXt trained as a classifier."""
