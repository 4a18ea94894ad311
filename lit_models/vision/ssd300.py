"""SSD300: the paper's own network, VGG-16 with more layers behind it, 8,732 anchors on six maps.

Liu et al. 2016, "SSD: Single Shot MultiBox Detector", figure 2; torchvision's ``ssd300_vgg16``, whose names the
parameters have. D2L 14.7.
The first map is divided by the length of its vector at each place and scaled by a learned number per channel, since its
values are much larger than those of the others (Liu et al. 2015, "ParseNet"). The picture is always 300 pixels wide.

    dive fit vision/ssd --data VOCFolder --data.root cells/ --data.image_size 300 --model.weights ssd300_vgg16_coco.pth
    dive fit vision/ssd --data.image_size 300 --model.variant ssd300         from scratch
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError
from lit_models.cnn.vgg import VGG
from lit_models.functional.boxes import to_corners

SIDE = 300  # pixels
MEAN = (0.48235, 0.45882, 0.40784)  # of red, green and blue in [0, 1]; colors are then in units of 1 / 255
SCALES = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)  # of the anchors of each map, in fractions of the side
STEPS = (8, 16, 32, 64, 100, 300)  # pixels between the cells of each map
RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
CELLS = (38, 19, 10, 5, 3, 1)
CHANNELS = (512, 1024, 512, 256, 256, 256)


class SSD300(nn.Module):
    """(B, C, 300, 300) in [0, 1] -> logits (B, 8732, 1 + K), offsets (B, 8732, 4). Class 0 is the background.

    Args:
        in_channels: Channels C of the image.
        num_classes: Number K of classes, without the background; torchvision's file has 90.
        image_size: 300, which the maps and anchors are made for.
    """

    HEADS = ("head.classification_head",)

    def __init__(self, in_channels: int = 3, num_classes: int = 90, image_size: int = SIDE) -> None:
        super().__init__()
        if image_size != SIDE:
            raise UserError(f"data.image_size is {image_size}: model.variant ssd300 needs {SIDE}")
        layers = list(VGG(in_channels, 1, depth=16, pool_size=1, hidden_size=1).features)
        pools = [k for k, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
        layers[pools[2]].ceil_mode = True  # type: ignore[assignment]  # 75 cells become 38
        self.backbone = nn.Module()
        self.backbone.scale_weight = nn.Parameter(torch.full((512,), 20.0))
        self.backbone.features = nn.Sequential(*layers[: pools[3]])  # up to conv4_3
        self.backbone.extra = nn.ModuleList(
            [
                nn.Sequential(*layers[pools[3] : -1], wide()),
                squeezed(1024, 256, 512, stride=2, padding=1),
                squeezed(512, 128, 256, stride=2, padding=1),
                squeezed(256, 128, 256),
                squeezed(256, 128, 256),
            ]
        )
        counts = [2 + 2 * len(ratios) for ratios in RATIOS]
        self.head = nn.ModuleDict(
            {
                "classification_head": heads(counts, 1 + num_classes),
                "regression_head": heads(counts, 4),
            }
        )
        extra: Any = self.backbone.extra
        for module in (*extra[1:], extra[0][-1], self.head):
            module.apply(xavier)
        self.num_classes = num_classes
        self.anchors: Tensor
        self.register_buffer("anchors", default_boxes(), persistent=False)  # (8732, 4)

    def maps(self, x: Tensor) -> list[Tensor]:
        mean = x.new_tensor(MEAN).view(3, 1, 1)
        x = (x - (mean if x.shape[1] == 3 else mean.mean())) * 255
        x = self.backbone.features(x)  # type: ignore[operator]
        found = [self.backbone.scale_weight.view(1, -1, 1, 1) * F.normalize(x)]  # type: ignore[operator, union-attr]
        for block in self.backbone.extra:  # type: ignore[union-attr]
            x = block(x)
            found.append(x)
        return found

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.maps(x)
        found = []
        for name, size in (("classification_head", 1 + self.num_classes), ("regression_head", 4)):
            layers: Any = self.head[name].module_list
            parts = [layer(part).permute(0, 2, 3, 1).flatten(1) for layer, part in zip(layers, maps, strict=True)]
            found.append(torch.cat(parts, 1).unflatten(1, (-1, size)))
        return found[0], found[1]


def wide() -> nn.Sequential:
    """VGG's dense layers as convolutions: the first one is spread, since the pooling before it no longer halves."""
    return nn.Sequential(
        nn.MaxPool2d(3, stride=1, padding=1),
        nn.Conv2d(512, 1024, 3, padding=6, dilation=6),
        nn.ReLU(inplace=True),
        nn.Conv2d(1024, 1024, 1),
        nn.ReLU(inplace=True),
    )


def squeezed(in_channels: int, hidden: int, channels: int, stride: int = 1, padding: int = 0) -> nn.Sequential:
    """1 x 1 to fewer channels, 3 x 3 to the next map."""
    return nn.Sequential(
        nn.Conv2d(in_channels, hidden, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, channels, 3, stride, padding),
        nn.ReLU(inplace=True),
    )


def heads(counts: list[int], size: int) -> nn.Module:
    """A 3 x 3 convolution for each map that gives ``size`` numbers for each of a cell's anchors."""
    found = nn.Module()
    found.module_list = nn.ModuleList(
        nn.Conv2d(channels, size * count, 3, padding=1) for channels, count in zip(CHANNELS, counts, strict=True)
    )
    return found


def xavier(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def default_boxes() -> Tensor:
    """The anchors (8732, 4) in fractions of the picture: the square of a map's scale, one between this scale and the
    next, and each ratio lying and standing.
    """
    boxes = []
    for k, cells in enumerate(CELLS):
        between = (SCALES[k] * SCALES[k + 1]) ** 0.5
        shapes = [(SCALES[k], SCALES[k]), (between, between)]
        for ratio in RATIOS[k]:
            long, short = SCALES[k] * ratio**0.5, SCALES[k] / ratio**0.5
            shapes += [(long, short), (short, long)]
        line = (torch.arange(cells) + 0.5) * STEPS[k] / SIDE
        y, x = torch.meshgrid(line, line, indexing="ij")
        centers = torch.stack([x, y], -1)[:, :, None].expand(-1, -1, len(shapes), -1)
        sizes = torch.tensor(shapes).clamp(max=1).expand(cells, cells, -1, -1)
        boxes.append(torch.cat([centers, sizes], -1).reshape(-1, 4))
    return to_corners(torch.cat(boxes))
