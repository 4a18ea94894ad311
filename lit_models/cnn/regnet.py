"""AnyNet, a family of networks, and RegNetX, the members whose widths lie on a line.

Radosavovic et al. 2020, "Designing Network Design Spaces". D2L 8.8. Parameters have torchvision's names.
Departs from the book: He's initialization (its Xavier call has no effect). Its RegNetX-32 is ``depths=(4, 6),
widths=(32, 80), group_width=16``. How such a family is found is ``cnn/design_space``.

    dive fit cnn/regnet                    5,000 real MNIST digits, offline, narrow
    dive fit cnn/regnet_fashion_mnist      the book's recipe
    dive fit cnn/regnet --data ImageFolder --data.root DIR --model.weights regnet_x_400mf.pth    your pictures

The numbers they reach are in RESULTS.md.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.tasks.image_classifier import ImageClassifier
from lit_models.tasks.trains import trains

Stem = Literal["imagenet", "small"]


def conv_norm(in_channels: int, channels: int, kernel_size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution without bias that changes the size only by its stride, and its normalization."""
    conv = nn.Conv2d(in_channels, channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels))


class XBlock(nn.Module):
    """1 x 1, grouped 3 x 3, 1 x 1, and a shortcut. (B, in_channels, H, W) -> (B, channels, H / stride, W / stride).

    Args:
        in_channels, channels: Channels that come in and go out.
        stride: Of the 3 x 3 convolution and of the shortcut.
        group_width: Channels of one group.
        bottleneck: The paper's b: the 3 x 3 convolution has channels / b.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, group_width: int, bottleneck: float = 1.0) -> None:
        super().__init__()
        inner = round(channels / bottleneck)
        same = stride == 1 and in_channels == channels
        self.proj = None if same else conv_norm(in_channels, channels, 1, stride)
        self.f = nn.ModuleDict(
            {
                "a": conv_norm(in_channels, inner, 1),
                "b": conv_norm(inner, inner, 3, stride, groups=inner // group_width),
                "c": conv_norm(inner, channels, 1),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.f["a"](x), inplace=True)  # (B, inner, H, W)
        h = F.relu(self.f["b"](h), inplace=True)  # (B, inner, H / stride, W / stride)
        h = self.f["c"](h)
        h += x if self.proj is None else self.proj(x)
        return F.relu(h, inplace=True)


class AnyNet(nn.Module):
    """A stem, stages of blocks that halve the image each, the mean. (B, in_channels, S, S) -> (B, num_classes) logits.

    Args:
        depths: Blocks of each stage.
        widths: Channels of each stage.
        group_widths: Channels of a group in each stage; a divisor of its inner width.
        in_channels: Channels of the image.
        num_classes: Number of logits.
        stem_width: Channels of the stem.
        stem: 3 x 3 with stride 2 for ``imagenet``, 1 for ``small``.
        bottleneck: See ``XBlock``.
    """

    HEADS = ("fc",)

    def __init__(
        self,
        depths: Sequence[int],
        widths: Sequence[int],
        group_widths: Sequence[int],
        in_channels: int = 3,
        num_classes: int = 1000,
        stem_width: int = 32,
        stem: Stem = "imagenet",
        bottleneck: float = 1.0,
    ) -> None:
        super().__init__()
        self.stem = conv_norm(in_channels, stem_width, 3, stride=2 if stem == "imagenet" else 1)
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        channels = stem_width
        for k, (depth, width, group) in enumerate(zip(depths, widths, group_widths, strict=True), 1):
            if round(width / bottleneck) % group:
                raise ValueError(f"widths {width} is not a multiple of its group width {group}: change one of them")
            blocks: OrderedDict[str, nn.Module] = OrderedDict()
            for i in range(depth):
                blocks[f"block{k}-{i}"] = XBlock(channels, width, 2 if i == 0 else 1, group, bottleneck)
                channels = width
            stages[f"block{k}"] = nn.Sequential(blocks)
        self.trunk_output = nn.Sequential(stages)
        self.fc = nn.Linear(channels, num_classes)
        self.apply(self._initialize)

    @staticmethod
    def _initialize(module: nn.Module) -> None:
        """He et al. 2015, by the outputs; the last layer as the authors and torchvision: N(0, 0.01)."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.trunk_output(F.relu(self.stem(x), inplace=True))
        return self.fc(x.mean((2, 3)))


def stages_of_line(
    depth: int, initial_width: int, slope: float, width_step: float, group_width: int
) -> tuple[list[int], list[int], list[int]]:
    """Depths, widths and group widths of a RegNetX's stages: the paper's equations 2 to 4.

    Block j would be initial_width + slope * j wide. Each is rounded to the nearest power of ``width_step`` (times the
    initial width), then to a multiple of 8; blocks of equal width are a stage. A stage's width is last made a multiple
    of its group width.

    Raises:
        ValueError: A parameter outside of the paper's range.
    """
    if initial_width < 8 or initial_width % 8 or slope < 0 or width_step <= 1 or depth < 1:
        raise ValueError(
            f"depth {depth}, initial_width {initial_width}, slope {slope}, width_step {width_step}: the initial width "
            "is a multiple of 8, the slope at least 0, the step more than 1"
        )
    blocks = []
    for j in range(depth):
        power = round(math.log(1 + slope * j / initial_width) / math.log(width_step))
        blocks.append(round(initial_width * width_step**power / 8) * 8)
    widths = sorted(set(blocks))
    groups = [min(group_width, width) for width in widths]
    fitted = [max(g, (width + g // 2) // g * g) for width, g in zip(widths, groups, strict=True)]
    fitted = [f + g if f < 0.9 * w else f for f, w, g in zip(fitted, widths, groups, strict=True)]
    return [blocks.count(width) for width in widths], fitted, groups


class RegNet(AnyNet):
    """The AnyNet whose widths lie on a line; by default RegNetX-400MF. (B, in_channels, S, S) -> (B, num_classes).

    Args:
        in_channels: Channels of the image.
        num_classes: Number of logits.
        depth, initial_width, slope, width_step, group_width: See ``stages_of_line``.
        depths, widths: Stages of an AnyNet instead, with the same ``group_width`` in all.
        stem_width, stem: See ``AnyNet``.
    """

    PUBLISHED = {
        **{"depth": 22, "initial_width": 24, "slope": 24.48, "width_step": 2.54, "group_width": 16},
        **{"depths": (), "widths": (), "stem_width": 32, "stem": "imagenet"},
    }

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1000,
        depth: int = 22,
        initial_width: int = 24,
        slope: float = 24.48,
        width_step: float = 2.54,
        group_width: int = 16,
        depths: Sequence[int] = (),
        widths: Sequence[int] = (),
        stem_width: int = 32,
        stem: Stem = "imagenet",
    ) -> None:
        groups = [group_width] * len(depths)
        if not depths:
            depths, widths, groups = stages_of_line(depth, initial_width, slope, width_step, group_width)
        super().__init__(depths, widths, groups, in_channels, num_classes, stem_width, stem)


@trains(RegNet)
class LitRegNet(ImageClassifier):
    """A RegNetX, or any AnyNet, trained as a classifier."""
