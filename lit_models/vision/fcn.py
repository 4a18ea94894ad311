"""FCN: a classifier whose dense layers are convolutions gives a coarse map of classes, and one layer makes it large
again.

Long, Shelhamer and Darrell 2015, "Fully Convolutional Networks for Semantic Segmentation"; torchvision's
``fcn_resnet50``. D2L 14.10 and 14.11.
Departs from the book: the transposed convolution has no bias and begins as bilinear interpolation for each class apart;
the loss is a mean over the pixels that are not void (the book sums over pictures: W1 in its chapter 14); the number is
mIoU. Departs from the paper: no skips from earlier layers (FCN-32s).

    dive fit vision/fcn            shapes and digits on photographs, offline
    dive fit vision/fcn --data MaskFolder --data.root DIR --model.weights fcn_resnet50_coco.pth

The numbers they reach are in RESULTS.md.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.cnn.resnet import ResNet, Stem
from lit_models.tasks.trains import trains
from lit_models.vision.segmenter import Segmenter


class FCN(nn.Module):
    """A ResNet without its head, a map of classes, enlarged. (B, in_channels, H, W) -> logits (B, num_classes, H, W).

    Args:
        in_channels: Channels of the image.
        num_classes: Number of classes, the background among them.
        depth: Of the ResNet: 18 in the book, 50 for torchvision's weights.
        width: Channels of the ResNet's first stage.
        stem: Of the ResNet. The map is a 32nd of the picture's side, with the ``small`` stem an eighth.
        variant: ``book``: a 1 x 1 convolution, and a transposed one that begins as bilinear interpolation.
            ``torchvision``:
            the last two stages are dilated instead of strided, the head has a hidden layer, and the enlargement
            is bilinear; parameters have torchvision's names.
        dropout: Before the last convolution of torchvision's head.
    """

    HEADS = ("classifier.4", "aux_classifier", "enlarge", "final")
    #: The sizes of torchvision's weights.
    PUBLISHED = {"width": 64, "depth": 50, "stem": "imagenet", "variant": "torchvision"}
    gathered_at_once = True  # the backbone's layers are called, not the backbone

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 21,
        depth: int = 18,
        width: int = 64,
        stem: Stem = "imagenet",
        variant: Literal["book", "torchvision"] = "book",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        backbone: Any = ResNet(in_channels, 1, depth, width, stem)
        channels = backbone.fc.in_features
        backbone.fc = nn.Identity()
        self.backbone, self.variant = backbone, variant
        if variant == "torchvision":
            dilate(backbone)
            self.classifier = nn.Sequential(
                nn.Conv2d(channels, channels // 4, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels // 4),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
                nn.Conv2d(channels // 4, num_classes, 1),
            )
        else:
            stride = 32 if stem == "imagenet" else 8
            self.final = nn.Conv2d(channels, num_classes, 1)
            self.enlarge = nn.ConvTranspose2d(
                num_classes, num_classes, 2 * stride, stride, padding=stride // 2, bias=False
            )
            nn.init.xavier_uniform_(self.final.weight)
            with torch.no_grad():
                self.enlarge.weight.copy_(bilinear_kernel(num_classes, 2 * stride))

    def features(self, x: Tensor) -> Tensor:
        """The map (B, channels, h, w) of the last stage."""
        net: Any = self.backbone
        x = net.maxpool(F.relu(net.bn1(net.conv1(x)), inplace=True))
        for k in range(1, 5):
            x = net.get_submodule(f"layer{k}")(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        maps = self.features(x)
        if self.variant == "torchvision":
            return F.interpolate(self.classifier(maps), size=size, mode="bilinear", align_corners=False)
        logits = self.enlarge(self.final(maps))  # at least as large as the picture
        return logits[..., : size[0], : size[1]]


def dilate(net: Any) -> None:
    """Stages 3 and 4 of a ResNet of bottlenecks keep the size of stage 2: their kernels are spread by 2 and 4 instead.

    The first block of each stage still has the spread of the stage before, as in torchvision.
    """
    for stage, before, after in ((net.layer3, 1, 2), (net.layer4, 2, 4)):
        for k, block in enumerate(stage):
            spread = before if k == 0 else after
            strided = block.conv2 if hasattr(block, "conv3") else block.conv1
            strided.stride = (1, 1)
            for conv in (block.conv2,) if hasattr(block, "conv3") else (block.conv1, block.conv2):
                conv.dilation = conv.padding = (spread, spread)
            if block.downsample is not None:
                block.downsample[0].stride = (1, 1)


def bilinear_kernel(channels: int, size: int) -> Tensor:
    """Weights (channels, channels, size, size) of a transposed convolution that interpolates each channel by itself."""
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 else factor - 0.5
    line = 1 - (torch.arange(size) - center).abs() / factor
    weight = torch.zeros(channels, channels, size, size)
    weight[range(channels), range(channels)] = line[:, None] * line
    return weight


@trains(FCN)
class LitFCN(Segmenter):
    """FCN trained as a segmenter."""
