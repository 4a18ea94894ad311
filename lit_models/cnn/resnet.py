"""ResNet: layers that learn what to add to their input, so that networks with a hundred layers can be trained.

He et al. 2016, "Deep Residual Learning for Image Recognition" and "Identity Mappings in Deep Residual Networks"
(``pre_activation``). D2L 8.6.
Departs from the book: normalized shortcuts and the paper's widths (``lit_models/layers/residual.py``). Departs from the
paper: the bottleneck's stride lies on its 3 x 3 convolution, as in torchvision.

    dive fit cnn/resnet                    5,000 real MNIST digits, offline, narrow
    dive fit cnn/resnet_textured_shapes    shapes with textures on photographs, offline, narrow
    dive fit cnn/resnet_cifar10            ResNet-18 on CIFAR-10 with today's augmentation and schedule
    dive fit cnn/resnet_fashion_mnist      the book's recipe
    dive fit cnn/resnet --data ImageFolder --data.root DIR --model.weights resnet18.pth    your pictures

The numbers they reach are in RESULTS.md.
"""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.layers.residual import BasicBlock, Bottleneck
from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

Stem = Literal["imagenet", "small"]
DEPTHS: dict[
    int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]
] = {  # the paper's table 1, and two small ones
    10: (BasicBlock, (1, 1, 1, 1)),
    14: (Bottleneck, (1, 1, 1, 1)),
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, the mean over the image. (B, in_channels, S, S) -> (B, num_classes).

    Args:
        in_channels: Channels of the image.
        num_classes: Number of logits.
        depth: Layers with weights: 10, 18 and 34 of basic blocks; 14, 50, 101 and 152 of bottlenecks.
        width: Channels of the first stage; each later stage has twice as many. The paper's is 64.
        stem: ``imagenet`` is 7 x 7 with stride 2 and a pooling, a quarter of the image's side; ``small`` is 3 x 3 with
            stride 1, usual for 32 pixels and less.
        pre_activation: Normalization and ReLU before the convolutions.
        groups, group_width: Of the bottlenecks' 3 x 3 convolutions (ResNeXt).
    """

    HEADS = ("fc",)
    #: The sizes of torchvision's weights.
    PUBLISHED = {"width": 64, "stem": "imagenet"}

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        depth: int = 18,
        width: int = 64,
        stem: Stem = "imagenet",
        pre_activation: bool = False,
        groups: int = 1,
        group_width: int = 64,
    ) -> None:
        super().__init__()
        if depth not in DEPTHS:
            raise ValueError(f"depth is {depth}: choose one of {', '.join(map(str, DEPTHS))}")
        block, counts = DEPTHS[depth]
        if block is BasicBlock and (groups, group_width) != (1, 64):
            raise ValueError(f"groups need bottlenecks, but a depth of {depth} has none: choose 14, 50, 101 or 152")
        if width * group_width < 64:
            raise ValueError(f"width {width} with groups of {group_width} per 64 leaves no channel: make one larger")
        extra = {} if block is BasicBlock else {"groups": groups, "group_width": group_width}
        self.pre_activation = pre_activation
        large = stem == "imagenet"
        self.conv1 = nn.Conv2d(in_channels, width, 7 if large else 3, 2 if large else 1, 3 if large else 1, bias=False)
        self.bn1 = nn.Identity() if pre_activation else nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()
        channels = width
        for k, count in enumerate(counts):
            stage = nn.Sequential()
            for i in range(count):
                stride = 2 if k > 0 and i == 0 else 1
                stage.append(block(channels, width << k, stride, pre_activation, **extra))
                channels = block.expansion * width << k
            self.add_module(f"layer{k + 1}", stage)
        self.bn = nn.BatchNorm2d(channels) if pre_activation else nn.Identity()
        self.fc = nn.Linear(channels, num_classes)
        self.apply(self._initialize)

    @staticmethod
    def _initialize(module: nn.Module) -> None:
        """He et al. 2015, by the outputs (fan_out), as torchvision."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x))  # (B, width, S / 2, S / 2); S with the small stem
        x = self.maxpool(x if self.pre_activation else F.relu(x, inplace=True))  # (B, width, S / 4, S / 4); S
        for k in range(1, 5):
            x = self.get_submodule(f"layer{k}")(x)
        if self.pre_activation:
            x = F.relu(self.bn(x), inplace=True)
        return self.fc(x.mean((2, 3)))  # (B, 8 * width * expansion) -> (B, num_classes)


@trains(ResNet)
class LitResNet(ImageClassifier):
    """ResNet trained as a classifier."""
