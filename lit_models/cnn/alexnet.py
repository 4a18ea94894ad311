"""AlexNet: the network that made convolutions popular.

``variant: grouped`` is the paper's: Krizhevsky, Sutskever and Hinton 2012, "ImageNet Classification with Deep
Convolutional Neural Networks": two towers that meet in the third convolution and in the dense layers, here as groups of
one convolution, and local response normalization (torch divides alpha by the window, the paper does not).
``variant: one_tower`` is torchvision's, whose parameter names it has: Krizhevsky 2014, "One weird trick for
parallelizing convolutional neural networks". D2L 8.1.
Departs from both: He's initialization instead of N(0, 0.01), with which narrow variants do not learn, and an
adaptive pooling, so that other image sizes work. Departs from the book, which pads the first convolution by
1 (neither paper does) and gives its layers torch's default initialization where it intends Xavier's.

    dive fit cnn/alexnet                    shapes with textures on photographs, offline, narrow
    dive fit cnn/alexnet_fashion_mnist      the book's recipe
    dive fit cnn/alexnet --data ImageFolder --data.root DIR --model.weights alexnet.pth    your pictures

The numbers they reach are in RESULTS.md.
"""

from typing import Literal

from torch import Tensor, nn

from lit_models.layers.sizes import refuse_small_image, scaled
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

Variant = Literal["one_tower", "grouped"]
Stem = Literal["imagenet", "small"]
CHANNELS = {"one_tower": (64, 192, 384, 256, 256), "grouped": (96, 256, 384, 384, 256)}
GROUPS = {"one_tower": (1, 1, 1, 1, 1), "grouped": (1, 2, 1, 2, 2)}
LEAST = {"one_tower": 63, "grouped": 67}  # with the stem of the papers; 15 is enough for the small one
LEAST_SMALL = 15


class AlexNet(nn.Module):
    """Five convolutions, three overlapping poolings, three dense layers. (B, in_channels, S, S) -> (B, num_classes).

    Args:
        in_channels: Channels of the image.
        num_classes: Number of logits.
        image_size: Height and width S of the image in pixels: 224 for one tower, 227 for the grouped variant.
        variant: ``one_tower`` (2014, torchvision) or ``grouped`` (2012).
        stem: ``imagenet`` is 11 x 11 with stride 4; ``small`` is 5 x 5 with stride 1, for 32 pixels.
        width: The published numbers of channels are multiplied by it.
        pool_size: Side of the feature maps before the dense layers: 6 in the papers, 3 for 32 pixels.
        hidden_size: Width of the dense layers.
        dropout: Before each hidden dense layer.
    """

    HEADS = ("classifier.6",)
    #: The sizes of torchvision's weights.
    PUBLISHED = {"variant": "one_tower", "stem": "imagenet", "width": 1.0, "pool_size": 6, "hidden_size": 4096}

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        variant: Variant = "one_tower",
        stem: Stem = "imagenet",
        width: float = 1.0,
        pool_size: int = 6,
        hidden_size: int = 4096,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        refuse_small_image("AlexNet", image_size, LEAST[variant] if stem == "imagenet" else LEAST_SMALL)
        c1, c2, c3, c4, c5 = (scaled(c, width, multiple=max(GROUPS[variant])) for c in CHANNELS[variant])
        _, g2, _, g4, g5 = GROUPS[variant]
        padding = 2 if variant == "one_tower" else 0
        first = nn.Conv2d(in_channels, c1, 11, stride=4, padding=padding)  # (B, c1, 55, 55) of 224 or 227
        if stem == "small":
            first = nn.Conv2d(in_channels, c1, 5, padding=2)  # (B, c1, S, S)
        self.features = nn.Sequential(
            *(first, nn.ReLU(inplace=True), *normalization(variant), nn.MaxPool2d(3, stride=2)),  # (B, c1, 27, 27)
            *(nn.Conv2d(c1, c2, 5, padding=2, groups=g2), nn.ReLU(inplace=True)),
            *(*normalization(variant), nn.MaxPool2d(3, stride=2)),  # (B, c2, 13, 13)
            *(nn.Conv2d(c2, c3, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(c3, c4, 3, padding=1, groups=g4), nn.ReLU(inplace=True)),
            *(nn.Conv2d(c4, c5, 3, padding=1, groups=g5), nn.ReLU(inplace=True)),
            nn.MaxPool2d(3, stride=2),  # (B, c5, 6, 6)
        )
        self.avgpool = nn.AdaptiveAvgPool2d(pool_size)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(c5 * pool_size**2, hidden_size),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_size, num_classes),
        )
        self.apply(self._initialize)

    @staticmethod
    def _initialize(module: nn.Module) -> None:
        """He et al. 2015."""
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def normalization(variant: Variant) -> list[nn.Module]:
    """The paper's section 3.3 (k = 2, n = 5, alpha = 1e-4, beta = 0.75); one tower has none."""
    return [nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0)] if variant == "grouped" else []


@trains(AlexNet)
class LitAlexNet(ImageClassifier):
    """AlexNet trained as a classifier."""
