"""Network in network: a small dense network at every pixel, and no dense layers at the end.

Lin, Chen and Yan 2014, "Network in Network". D2L 8.3.
Departs from the paper only in the initialization (He's): the sizes are those of the authors' ImageNet model, which the
book has too. Both have a ReLU after the last 1 x 1 convolution, so that logits are not negative. ``last_relu=False``
removes it; with the ReLU, a narrow network can stop predicting a class for good.

    dive fit cnn/nin                    5,000 real MNIST digits, offline, narrow
    dive fit cnn/nin_fashion_mnist      the book's recipe

The numbers they reach are in RESULTS.md.
"""

from typing import Literal

from torch import Tensor, nn

from lit_models.layers.sizes import refuse_small_image, scaled
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

Stem = Literal["imagenet", "small"]
LEAST = {"imagenet": 67, "small": 15}


def nin_block(in_channels: int, channels: int, kernel_size: int, stride: int, padding: int) -> list[nn.Module]:
    """A convolution and two of 1 x 1: a dense network with two hidden layers, slid over the image."""
    return [
        *(nn.Conv2d(in_channels, channels, kernel_size, stride, padding), nn.ReLU(inplace=True)),
        *(nn.Conv2d(channels, channels, 1), nn.ReLU(inplace=True)),
        *(nn.Conv2d(channels, channels, 1), nn.ReLU(inplace=True)),
    ]


class NiN(nn.Module):
    """Four blocks, then the mean of each class's map. (B, in_channels, S, S) -> (B, num_classes) logits.

    Args:
        in_channels: Channels of the image.
        num_classes: Number of logits: the maps of the last block.
        image_size: Height and width S of the image in pixels.
        stem: ``imagenet`` is 11 x 11 with stride 4; ``small`` is 5 x 5 with stride 1, as in the paper's CIFAR model.
        width: The published numbers of channels (96, 256, 384) are multiplied by it.
        dropout: Before the last block.
        last_relu: Whether a ReLU follows the last convolution.
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        image_size: int = 224,
        stem: Stem = "imagenet",
        width: float = 1.0,
        dropout: float = 0.5,
        last_relu: bool = True,
    ) -> None:
        super().__init__()
        refuse_small_image("NiN", image_size, LEAST[stem])
        c1, c2, c3 = (scaled(c, width) for c in (96, 256, 384))
        kernel, stride, padding = (11, 4, 0) if stem == "imagenet" else (5, 1, 2)
        last = nin_block(c3, num_classes, 3, 1, 1)
        self.features = nn.Sequential(
            *(*nin_block(in_channels, c1, kernel, stride, padding), nn.MaxPool2d(3, stride=2)),  # (B, c1, 26, 26)
            *(*nin_block(c1, c2, 5, 1, 2), nn.MaxPool2d(3, stride=2)),  # (B, c2, 12, 12)
            *(*nin_block(c2, c3, 3, 1, 1), nn.MaxPool2d(3, stride=2)),  # (B, c3, 5, 5)
            nn.Dropout(dropout),
            *(last if last_relu else last[:-1]),  # (B, num_classes, 5, 5)
        )
        self.apply(self._initialize)

    def feature_layers(self) -> nn.Module:
        """All blocks but the last: what ``freeze_features`` freezes."""
        last = next(i for i, m in enumerate(self.features) if isinstance(m, nn.Dropout))
        return self.features[:last]

    @staticmethod
    def _initialize(module: nn.Module) -> None:
        """He et al. 2015."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).mean((2, 3))


@trains(NiN)
class LitNiN(ImageClassifier):
    """Network in network trained as a classifier."""
