"""U-Net: an encoder and a decoder with skip connections.

Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation". Beyond the book (D2L 14.11
has FCN).
Departs from the paper: convolutions are padded, so that the logits are as large as the picture; ``normalize`` adds
batch normalization, which the paper did not have yet and without which a narrow network learns slowly.

    dive fit vision/unet                         shapes on photographs, offline
    dive fit vision/unet --model.skips false     the same without skip connections: coarser edges
    dive fit vision/unet_camvid                  road scenes, eleven classes

The numbers they reach are in RESULTS.md.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.tasks.trains import trains
from lit_models.vision.segmenter import Segmenter


def double_convolution(in_channels: int, channels: int, normalize: bool) -> nn.Sequential:
    """Two 3 x 3 convolutions with ReLU. (B, in_channels, H, W) -> (B, channels, H, W)."""
    layers: list[nn.Module] = []
    for inputs in (in_channels, channels):
        layers.append(nn.Conv2d(inputs, channels, 3, padding=1, bias=not normalize))
        layers += [nn.BatchNorm2d(channels)] if normalize else []
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """An encoder and a decoder of the same sizes. (B, in_channels, H, W) -> logits (B, num_classes, H, W), any H and W.

    Args:
        in_channels: Channels of the image.
        num_classes: Number of classes, the background among them.
        width: Channels at the full size, 64 in the paper; each halving doubles them.
        depth: How often the picture is halved, 4 in the paper.
        normalize: Batch normalization after each 3 x 3 convolution.
        skips: The decoder sees the encoder's maps of its own size. False makes an encoder and decoder without them, to
            measure what they do.
    """

    HEADS = ("head",)

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        width: int = 64,
        depth: int = 4,
        normalize: bool = False,
        skips: bool = True,
    ) -> None:
        super().__init__()
        widths = [width << k for k in range(depth + 1)]
        inputs = [in_channels, *widths]
        self.down = nn.ModuleList(double_convolution(inputs[k], widths[k], normalize) for k in range(depth + 1))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * n, n, 2, stride=2) for n in reversed(widths[:-1]))
        self.skips = skips
        self.up = nn.ModuleList(double_convolution(n * (1 + skips), n, normalize) for n in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, num_classes, 1)
        self.apply(self._initialize)

    @staticmethod
    def _initialize(module: nn.Module) -> None:
        """A standard deviation of sqrt(2 / N), N the inputs of a neuron, as the paper says in section 3."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.ConvTranspose2d):  # kernel and stride are 2: a neuron has one cell for its inputs
            nn.init.normal_(module.weight, std=(2 / module.in_channels) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        unit = 1 << len(self.up)
        x = F.pad(x, (0, -width % unit, 0, -height % unit))  # to whole numbers at all sizes; cut off at the end
        skipped: list[Tensor] = []
        for k, stage in enumerate(self.down):
            x = stage(x if k == 0 else F.max_pool2d(x, 2))  # (B, width * 2^k, H / 2^k, W / 2^k)
            skipped.append(x)
        skipped.pop()
        for grow, stage in zip(self.grow, self.up, strict=True):
            x = grow(x)
            x = stage(torch.cat([skipped.pop(), x], 1) if self.skips else x)
        return self.head(x)[..., :height, :width]


@trains(UNet)
class LitUNet(Segmenter):
    """U-Net trained as a segmenter."""
