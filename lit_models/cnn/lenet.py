"""LeNet-5: convolutions that learn features from pixels.

LeCun et al. 1998, "Gradient-based learning applied to document recognition". D2L 7.6.
Departs from the paper: a softmax head instead of RBF units, all feature maps connected, sigmoid and average pooling as
in the book; ``activation="relu", pooling="max"`` is the modern form.

    dive fit cnn/lenet                  5,000 real MNIST digits, offline
    dive fit cnn/lenet_mnist            the book's recipe on all of MNIST
    dive fit cnn/lenet_fashion_mnist    the book's recipe on its own data

The numbers they reach are in RESULTS.md.
"""

from typing import Literal

from torch import Tensor, nn

from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
POOLINGS = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d}


class LeNet(nn.Module):
    """Two convolutions for features, three dense layers for classes. (B, in_channels, S, S) -> (B, num_classes) logits.

    Args:
        in_channels: Channels of the image: 1 for gray, 3 for color.
        num_classes: Number of logits.
        image_size: Height and width S of the image in pixels, at least 12.
        activation: Non-linearity after each layer but the last.
        pooling: How each 2 x 2 window is pooled.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int = 28,
        activation: Literal["sigmoid", "tanh", "relu"] = "sigmoid",
        pooling: Literal["avg", "max"] = "avg",
    ) -> None:
        super().__init__()
        side = (image_size // 2 - 4) // 2  # after the second pooling: 5 for 28
        if side < 1:
            raise ValueError(f"image_size is {image_size}: LeNet needs at least 12 pixels")
        act, pool = ACTIVATIONS[activation], POOLINGS[pooling]
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, kernel_size=5, padding=2),  # (B, 6, S, S)
            act(),
            pool(2),  # (B, 6, S/2, S/2)
            nn.Conv2d(6, 16, kernel_size=5),  # (B, 16, S/2 - 4, S/2 - 4)
            act(),
            pool(2),  # (B, 16, side, side)
        )
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * side * side, 120),
            act(),
            nn.Linear(120, 84),
            act(),
            nn.Linear(84, num_classes),
        )
        self.apply(self._initialize)

    @staticmethod
    def _initialize(module: nn.Module) -> None:
        """Xavier, as in the book: with torch's default initialization, sigmoids stay on a plateau for long."""
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


@trains(LeNet)
class LitLeNet(ImageClassifier):
    """LeNet trained as a classifier."""
