"""VGG: blocks of 3 x 3 convolutions, deeper than earlier networks.

Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition", table 1: A is 11,
B 13, D 16, E 19 layers with weights. D2L 8.2. Parameters have torchvision's names.
Departs from the paper: an adaptive pooling before the dense layers, so that any size of at least 32 pixels works
(it has no effect at the paper's 224), He's initialization instead of pretrained shallower nets, and batch normalization
on request. The book trains at a quarter of the width: ``width=16``.

    dive fit cnn/vgg                    shapes with textures on photographs, offline, narrow
    dive fit cnn/vgg_cifar10            VGG-11 with batch normalization on CIFAR-10
    dive fit cnn/vgg_fashion_mnist      the book's recipe
    dive fit cnn/vgg --data ImageFolder --data.root DIR --model.weights vgg11_bn.pth    your pictures

The numbers they reach are in RESULTS.md.
"""

from torch import Tensor, nn

from lit_models.layers.sizes import refuse_small_image
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # convolutions per block
WIDTHS = (1, 2, 4, 8, 8)  # of the blocks, in units of the first
LEAST = 32  # one pixel after five poolings


class VGG(nn.Module):
    """Five blocks that end with a pooling, three dense layers. (B, in_channels, S, S) -> (B, num_classes) logits.

    Args:
        in_channels: Channels of the image.
        num_classes: Number of logits.
        image_size: Height and width S of the image in pixels, at least 32.
        depth: Layers with weights: 11, 13, 16 or 19.
        width: Channels of the first block; the paper's is 64.
        batch_norm: Batch normalization after each convolution.
        pool_size: Side of the feature maps before the dense layers: 7 in the paper, 1 for images of 32 pixels.
        hidden_size: Width of the dense layers.
        dropout: After each hidden dense layer.
    """

    HEADS = ("classifier.6",)
    #: The sizes of torchvision's weights.
    PUBLISHED = {"width": 64, "pool_size": 7, "hidden_size": 4096}

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        depth: int = 11,
        width: int = 64,
        batch_norm: bool = False,
        pool_size: int = 7,
        hidden_size: int = 4096,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        refuse_small_image("VGG", image_size, LEAST)
        if depth not in DEPTHS:
            raise ValueError(f"depth is {depth}: choose one of {', '.join(map(str, DEPTHS))}")
        layers: list[nn.Module] = []
        channels = in_channels
        for count, times in zip(DEPTHS[depth], WIDTHS, strict=True):
            for _ in range(count):
                layers.append(nn.Conv2d(channels, times * width, 3, padding=1))
                layers += [nn.BatchNorm2d(times * width)] if batch_norm else []
                layers.append(nn.ReLU(inplace=True))
                channels = times * width
            layers.append(nn.MaxPool2d(2))  # (B, channels, S / 2, S / 2), and so on down to S / 32
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(pool_size)  # (B, 8 * width, pool_size, pool_size)
        self.classifier = nn.Sequential(
            nn.Linear(channels * pool_size**2, hidden_size),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, num_classes),
        )
        self.apply(self._initialize)

    @staticmethod
    def _initialize(module: nn.Module) -> None:
        """He et al. 2015: with torch's default initialization, eleven layers without normalization stay at chance."""
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@trains(VGG)
class LitVGG(ImageClassifier):
    """VGG trained as a classifier."""
